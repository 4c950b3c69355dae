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
            ) -> Vec<Option<crate::node::blobs::Value<'env>>> {
                self.core.take_blobs(env)
            }

            /// Keeps the event loop alive.
            #[napi(js_name = "ref")]
            pub fn hold(&mut self) -> napi::Result<()> {
                self.core.keep_alive(true)
            }

            /// No longer keeps the event loop alive.
            #[napi(js_name = "unref")]
            pub fn release(&mut self) -> napi::Result<()> {
                self.core.keep_alive(false)
            }
        }
    };
}

/// As above, for shells of workers and clients, with the field that is their `ConnectionConf`. Their method `broker`
/// makes the endpoint and the configuration for the destination with a number.
macro_rules! connecting_methods {
    ($Shell:ident, $Command:ident, $($conf:ident).+) => {
        #[napi_derive::napi]
        impl $Shell {
            /// Replaces the brokers.
            #[napi(ts_args_type = "endpoints: string[]")]
            pub fn set_endpoints(&mut self, endpoints: Vec<crate::io::Address>) -> napi::Result<()> {
                self.core.receive_from(&endpoints);
                self.$($conf).+.endpoints = endpoints;
                if !self.core.is_alive() {
                    return Ok(());
                }
                let change = self.destinations.set(self.conf.destinations());
                self.core.change_brokers(change, |number| self.broker(number))
            }

            /// Requests a snapshot as a record; returns an empty one at once if the peer is not running.
            #[napi]
            pub fn stats(&self, id: f64) -> Option<String> {
                let asked = self.core.command($Command::Stats(id as u64));
                (!asked).then(|| crate::node::peer::stats(crate::io::dealer::Stats::default()))
            }
        }
    };
}

pub(super) use common_methods;
pub(super) use connecting_methods;
