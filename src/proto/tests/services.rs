//! The choice of the worker, where it is not simply the next one of the named service.

mod again;
mod one_worker;
mod patterns;
mod policies;
mod priorities;
mod rates;
mod rejections;
mod relocation;
mod versions;
