//! Which worker gets a request, where that is not the next one of the service that it names.

mod again;
mod one_worker;
mod patterns;
mod policies;
mod priorities;
mod rates;
mod rejections;
mod versions;
