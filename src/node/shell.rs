//! The common methods of the three shells. A macro generates them, because `#[napi]` does not
//! support generics.

/// Expands in a shell whose field `core` is its [`Core`](super::core::Core).
macro_rules! common_methods {
    ($Shell:ident) => {
        #[napi_derive::napi]
        impl $Shell {
            /// The blobs of the last drained batch; null for one that JavaScript cannot hold.
            #[napi(ts_return_type = "Array<Buffer | string | null>")]
            pub fn take_blobs<'env>(
                &mut self,
                env: &'env napi::Env,
            ) -> Vec<Option<crate::node::batch_writer::Value<'env>>> {
                self.core.take_blobs(env)
            }

            /// Keeps the event loop alive.
            #[napi(js_name = "ref")]
            pub fn hold(&mut self, env: &napi::Env) -> napi::Result<()> {
                self.core.keep_alive(env, true)
            }

            /// No longer keeps the event loop alive.
            #[napi(js_name = "unref")]
            pub fn release(&mut self, env: &napi::Env) -> napi::Result<()> {
                self.core.keep_alive(env, false)
            }
        }
    };
}

pub(super) use common_methods;
