//! Endpoints as values of JavaScript: strings, which are parsed when they cross.

use crate::io::Address;
use napi::bindgen_prelude::{FromNapiValue, Result, TypeName, ValidateNapiValue};
use napi::{ValueType, sys};

impl TypeName for Address {
    fn type_name() -> &'static str {
        "string"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for Address {}

impl FromNapiValue for Address {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: guaranteed by the caller.
        let text = unsafe { String::from_napi_value(env, value) }?;
        Ok(Address::new(&text))
    }
}
