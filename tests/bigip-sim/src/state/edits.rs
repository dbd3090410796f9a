//! Lies about a list or an object: the device's own answer, changed.
//!
//! What is no JSON, or has no such member, stays as it is. It must not know when to lie.

use hyper::body::Bytes;
use hyper::{Request, Response, Uri};
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// The answer with its first `items` only.
pub(super) fn first_items(response: Response<Bytes>, count: usize) -> Response<Bytes> {
    edit(response, |body| {
        if let Some(items) = items_of(body) {
            items.truncate(count);
        }
    })
}

/// The answer without the member that a JSON pointer names.
pub(super) fn without(response: Response<Bytes>, pointer: &str) -> Response<Bytes> {
    let Some((parent, member)) = pointer.rsplit_once('/') else {
        return response;
    };
    edit(response, |body| match body.pointer_mut(parent) {
        Some(Value::Object(object)) => {
            object.remove(member);
        }
        Some(Value::Array(list)) => {
            let index = member.parse().ok().filter(|index| *index < list.len());
            index.map(|index: usize| list.remove(index));
        }
        _ => {}
    })
}

/// The items after the first `skip`, `size` of them at most, with a link to those that follow (the form
/// of the link: f5-telemetry-streaming).
pub(super) fn page(
    response: Response<Bytes>,
    path: &str,
    skip: usize,
    size: usize,
) -> Response<Bytes> {
    edit(response, |body| {
        let Some(items) = items_of(body) else {
            return;
        };
        let are_more = items.len() > skip + size;
        *items = items.iter().skip(skip).take(size).cloned().collect();
        if let (true, Some(object)) = (are_more, body.as_object_mut()) {
            let next = skip + size;
            let link = format!("https://localhost{path}?%24top={size}&%24skip={next}");
            object.insert("nextLink".to_owned(), link.into());
        }
    })
}

/// The request for the whole of what this asks a page of, and how many items it skips.
pub(super) fn without_paging(request: &Request<Bytes>) -> (Request<Bytes>, usize) {
    let mut skip = 0;
    let mut kept = Vec::new();
    for pair in request.uri().query().unwrap_or_default().split('&') {
        let decoded = percent_decode_str(pair).decode_utf8_lossy();
        if let Some(count) = decoded.strip_prefix("$skip=") {
            skip = count.parse().unwrap_or_default();
        } else if !decoded.is_empty() && !decoded.starts_with("$top=") {
            kept.push(pair);
        }
    }
    let path = request.uri().path();
    let uri = if kept.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", kept.join("&"))
    };
    let mut whole = request.clone();
    *whole.uri_mut() = uri.parse().unwrap_or_else(|_| Uri::from_static("/"));
    (whole, skip)
}

fn items_of(body: &mut Value) -> Option<&mut Vec<Value>> {
    body.get_mut("items")?.as_array_mut()
}

fn edit(response: Response<Bytes>, change: impl FnOnce(&mut Value)) -> Response<Bytes> {
    response.map(|bytes| {
        let Ok(mut body) = serde_json::from_slice(&bytes) else {
            return bytes;
        };
        change(&mut body);
        Bytes::from(body.to_string())
    })
}
