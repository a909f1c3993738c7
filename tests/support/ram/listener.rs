//! HTTP: reads calls from connections and sends the replies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE};
use http::request::Parts;
use http::{HeaderMap, Method, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::clock::http_date;
use super::envelope::{Format, Product, Refusal};
use super::gateway::{Cut, Gateway, Reply, Request};
use super::metadata;
use super::params::Params;
use super::verify::{Scheme, Wire, sha256_hex};

/// A GET may be this long, in bytes of its path and query.
const GET_LIMIT: usize = 4 * 1024;
/// A POST body may be this long, in bytes.
const BODY_LIMIT: usize = 10 * 1024 * 1024;
/// A longer body is not even read.
const READ_LIMIT: usize = 16 * 1024 * 1024;

/// Serves connections until it is told to stop.
pub async fn accept(listener: TcpListener, gateway: Arc<Gateway>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, gateway.clone(), stop.clone()))),
            // Out of file descriptors, most likely: they come back.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(stream: TcpStream, gateway: Arc<Gateway>, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let stopped = stop.clone();
    let service = service_fn(move |request| answer(request, gateway.clone(), stop.clone()));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = stopped.cancelled() => {}
        // An error is a connection cut by either side.
        _ = serving => {}
    }
}

async fn answer(
    request: http::Request<Incoming>,
    gateway: Arc<Gateway>,
    stop: CancellationToken,
) -> Result<Response<Full<Bytes>>, Cut> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, READ_LIMIT).collect().await.map_err(|_| Cut)?.to_bytes();
    if parts.uri.path().starts_with("/latest/") {
        let reply = metadata::answer(&gateway, &parts.method, parts.uri.path(), &headers(&parts.headers));
        return response(&gateway, reply);
    }
    let request = read(&parts, &body, gateway.options.v3_json_by_default);
    // A task of its own: what has arrived takes effect even if the client hangs up meanwhile.
    let answering = gateway.clone();
    let task = tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => Err(Cut),
            reply = answering.answer(&request) => reply,
        }
    });
    let reply = task.await.unwrap_or(Err(Cut))?;
    response(&gateway, reply)
}

fn response(gateway: &Gateway, reply: Reply) -> Result<Response<Full<Bytes>>, Cut> {
    let mut response = Response::builder()
        .status(reply.status)
        .header(CONTENT_TYPE, reply.content_type)
        .header(DATE, http_date(gateway.options.clock.now()));
    if let Some(delay) = reply.retry_after {
        response = response.header("x-acs-retry-after", delay);
    }
    response.body(Full::new(Bytes::from(reply.body))).map_err(|_| Cut)
}

/// Headers by lower-case name; values of a repeated one are sorted and joined with `,`.
fn headers(map: &HeaderMap) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in map {
        all.entry(name.as_str().to_owned())
            .or_default()
            .push(String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
    }
    let joined = all.into_iter().map(|(name, mut values)| {
        values.sort_unstable();
        (name, values.join(","))
    });
    joined.collect()
}

/// Reads the call; what is wrong with it is kept for the answer.
fn read(parts: &Parts, body: &Bytes, v3_json_by_default: bool) -> Request {
    let headers = headers(&parts.headers);
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    let mut broken = shape(parts, body);
    // A body that is not UTF-8 is read as a form that is not either.
    let form = if header("content-type").starts_with("application/x-www-form-urlencoded") {
        std::str::from_utf8(body).unwrap_or("%ff")
    } else {
        ""
    };
    let (query, form) = (Params::parse(parts.uri.query().unwrap_or("")), Params::parse(form));
    if query.is_none() || form.is_none() {
        broken.get_or_insert_with(|| Refusal::new(400, "InvalidParameter", "The parameters are not UTF-8."));
    }
    let (query, form) = (query.unwrap_or_default(), form.unwrap_or_default());
    let params = query.and(&form);
    // The classic SDK names the action in a header as well, and signs in its parameters.
    let signed_v1 = params.some("Signature").is_some();
    let v3 = header("authorization").starts_with("ACS3-") || (headers.contains_key("x-acs-action") && !signed_v1);
    let named = |name: &str, in_header: &str| {
        if v3 { headers.get(in_header).cloned() } else { params.some(name).map(str::to_owned) }
    };
    let (action, version) = (named("Action", "x-acs-action"), named("Version", "x-acs-version"));
    for (there, name) in [(action.is_some(), "Action"), (version.is_some(), "Version")] {
        if !there {
            broken.get_or_insert_with(|| Refusal::new(400, format!("Missing{name}"), format!("{name} is mandatory.")));
        }
    }
    let json = v3 && (v3_json_by_default || header("accept").contains("application/json"));
    let format = format(&params, json).unwrap_or_else(|refusal| {
        broken.get_or_insert(refusal);
        Format::Xml
    });
    let product = version.as_deref().and_then(Product::of_version);
    let scheme = if v3 { Scheme::V3 } else { Scheme::V1 };
    let host = header("host").to_owned();
    let wire = Wire { scheme, method: parts.method.to_string(), query, params, body_hash: sha256_hex(body), headers };
    Request { wire, product, action: action.unwrap_or_default(), format, host, broken }
}

/// What can be wrong before anything of a call is understood.
fn shape(parts: &Parts, body: &Bytes) -> Option<Refusal> {
    let length = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    match parts.method {
        Method::GET if length > GET_LIMIT => {
            Some(Refusal::new(414, "InvalidParameter", "A GET request may have at most 4 KB; use POST."))
        }
        Method::POST if body.len() > BODY_LIMIT => {
            Some(Refusal::new(413, "InvalidParameter", "A POST request may have at most 10 MB."))
        }
        Method::GET | Method::POST if parts.uri.path() != "/" => Some(Refusal::no_such_action()),
        Method::GET | Method::POST => None,
        _ => Some(Refusal::new(400, "UnsupportedHTTPMethod", "Use GET or POST.")),
    }
}

fn format(params: &Params, json: bool) -> Result<Format, Refusal> {
    match params.some("Format").map(str::to_ascii_lowercase).as_deref() {
        Some("json") => Ok(Format::Json),
        Some("xml") => Ok(Format::Xml),
        Some(_) => Err(Refusal::invalid("Format", "The Format must be JSON or XML.")),
        None => Ok(if json { Format::Json } else { Format::Xml }),
    }
}
