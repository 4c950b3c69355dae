//! Which worker gets a request, where that is not the next one of the service that it names.

mod patterns;
mod versions;
