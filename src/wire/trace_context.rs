//! The headers of a trace context in the options of a request. Instrumentations add them to every request, so receivers
//! that have no use for them are not sent them.

/// Names of headers of W3C Trace Context and W3C Baggage, as they begin in the JSON that this package writes. They cannot
/// be in a text of it, where a backslash precedes each quotation mark.
const HEADERS: [&[u8]; 3] = [
    br#""traceparent":""#,
    br#""tracestate":""#,
    br#""baggage":""#,
];

/// What is left of headers without others.
const EMPTY: &[u8] = br#","headers":{}"#;

/// The options without the headers of a trace context; `None` if they have none.
pub fn without_trace_context(opts: &[u8]) -> Option<Vec<u8>> {
    let mut rest = opts.to_vec();
    for header in HEADERS {
        if let Some(at) = find(&rest, header) {
            cut_member(&mut rest, at, header.len());
        }
    }
    if rest.len() == opts.len() {
        return None;
    }
    if let Some(at) = find(&rest, EMPTY) {
        rest.drain(at..at + EMPTY.len());
    }
    Some(rest)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// Removes the member of an object that begins at `at`, whose value is a text that begins `head` bytes later, and one of
/// the commas beside it.
fn cut_member(json: &mut Vec<u8>, at: usize, head: usize) {
    let mut end = at + head;
    while let Some(&byte) = json.get(end) {
        end += 1;
        match byte {
            b'"' => break,
            b'\\' => end += 1,
            _ => {}
        }
    }
    let mut begin = at;
    if json.get(end) == Some(&b',') {
        end += 1;
    } else if json[..at].ends_with(b",") {
        begin -= 1;
    }
    json.drain(begin..end.min(json.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(opts: &str) -> Option<String> {
        let rest = without_trace_context(opts.as_bytes())?;
        Some(String::from_utf8(rest).expect("UTF-8"))
    }

    #[test]
    fn other_headers_and_options_stay() {
        for (opts, rest) in [
            (
                r#"{"timeout":1,"headers":{"traceparent":"00-1"}}"#,
                r#"{"timeout":1}"#,
            ),
            (
                r#"{"timeout":1,"headers":{"a":"b","traceparent":"00-1","tracestate":"x=\"\\"},"retry":1}"#,
                r#"{"timeout":1,"headers":{"a":"b"},"retry":1}"#,
            ),
            (
                r#"{"headers":{"baggage":"x","tracestate":"","a":1,"traceparent":"00-1"}}"#,
                r#"{"headers":{"a":1}}"#,
            ),
        ] {
            assert_eq!(left(opts).as_deref(), Some(rest));
        }
    }

    #[test]
    fn options_without_a_trace_context_stay_as_they_are() {
        for opts in [
            "",
            "{}",
            r#"{"headers":{}}"#,
            r#"{"timeout":1,"headers":{"a":"\"traceparent\":\"00-1\""}}"#,
        ] {
            assert_eq!(left(opts), None);
        }
    }

    #[test]
    fn options_that_break_off_are_no_panic() {
        for opts in [r#"{"headers":{"traceparent":""#, r#","traceparent":"\"#] {
            assert!(left(opts).is_some());
        }
    }
}
