//! The methods that the three shells have in common. `#[napi]` knows no generics, so a macro writes them out.

/// For a shell whose [`Core`](super::core::Core) is its field `core`.
macro_rules! common_methods {
    ($Shell:ident) => {
        #[napi_derive::napi]
        impl $Shell {
            /// The blobs of the batch that was drained last; null in the place of one that JavaScript can't hold.
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

            /// Lets the event loop end.
            #[napi(js_name = "unref")]
            pub fn release(&mut self, env: &napi::Env) -> napi::Result<()> {
                self.core.keep_alive(env, false)
            }
        }
    };
}

pub(super) use common_methods;
