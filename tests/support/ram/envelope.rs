//! Answers in JSON and XML.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// What an action returns: the payload without RequestId.
pub type Answer = Result<Value, Refusal>;

/// The three APIs on the one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// RAM 2015-05-01.
    Ram,
    /// IMS 2019-08-15.
    Ims,
    /// STS 2015-04-01.
    Sts,
}

impl Product {
    /// The product of an API version.
    pub fn of_version(version: &str) -> Option<Self> {
        match version {
            "2015-05-01" => Some(Self::Ram),
            "2019-08-15" => Some(Self::Ims),
            "2015-04-01" => Some(Self::Sts),
            _ => None,
        }
    }

    /// Product code in links and in the last use of a key.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ram => "Ram",
            Self::Ims => "Ims",
            Self::Sts => "Sts",
        }
    }
}

/// An error answer.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// `Code`.
    pub code: String,
    /// `Message`.
    pub message: String,
    /// `AccessDeniedDetail`.
    pub detail: Option<Value>,
    /// Value of the header `x-acs-retry-after`.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal without extras.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), detail: None, retry_after: None }
    }

    /// 400 `InvalidParameter.<what>`.
    pub fn invalid(what: &str, message: &str) -> Self {
        Self::new(400, format!("InvalidParameter.{what}"), message)
    }

    /// 404 `EntityNotExist.<what>`.
    pub fn absent(what: &str, name: &str) -> Self {
        Self::new(404, format!("EntityNotExist.{what}"), format!("The {what} does not exist: {name}."))
    }

    /// 409 `EntityAlreadyExists.<what>`.
    pub fn exists(what: &str, name: &str) -> Self {
        Self::new(409, format!("EntityAlreadyExists.{what}"), format!("The {what} already exists: {name}."))
    }

    /// 409 `DeleteConflict.<what>`.
    pub fn conflict(what: &str) -> Self {
        Self::new(409, format!("DeleteConflict.{what}"), format!("It still has a {what}, which must be removed first."))
    }

    /// 409 `LimitExceeded.<what>`.
    pub fn limit(what: &str) -> Self {
        Self::new(409, format!("LimitExceeded.{what}"), format!("The quota of {what} is used up."))
    }

    /// 404 for an action that the API version does not have.
    pub fn no_such_action() -> Self {
        Self::new(404, "InvalidApi.NotFound", "Specified api is not found, please check your url and method.")
    }
}

/// Language of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/json`.
    Json,
    /// `text/xml`.
    Xml,
}

impl Format {
    /// Value of the header `content-type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        }
    }

    /// The text of a success: the payload and its RequestId.
    pub fn success(self, action: &str, request_id: &str, payload: Value) -> String {
        let mut fields = Map::from_iter([("RequestId".to_owned(), json!(request_id))]);
        if let Value::Object(payload) = payload {
            fields.extend(payload);
        }
        self.write(&format!("{action}Response"), Value::Object(fields))
    }

    /// The text of a refusal.
    pub fn failure(self, product: Option<Product>, host: &str, request_id: &str, refusal: &Refusal) -> String {
        let code = &refusal.code;
        let mut fields = Map::from_iter([
            ("RequestId".to_owned(), json!(request_id)),
            ("HostId".to_owned(), json!(host)),
            ("Code".to_owned(), json!(code)),
            ("Message".to_owned(), json!(refusal.message)),
        ]);
        if let Some(product) = product {
            let link = format!(
                "https://api.aliyun.com/troubleshoot?q={code}&product={}&requestId={request_id}",
                product.code()
            );
            fields.insert("Recommend".to_owned(), json!(link));
        }
        if let Some(detail) = &refusal.detail {
            fields.insert("AccessDeniedDetail".to_owned(), detail.clone());
        }
        self.write("Error", Value::Object(fields))
    }

    fn write(self, root: &str, value: Value) -> String {
        match self {
            Self::Json => value.to_string(),
            Self::Xml => {
                let mut text = String::from("<?xml version='1.0' encoding='UTF-8'?>");
                element(&mut text, root, &value);
                text
            }
        }
    }
}

/// Writes one element; a list becomes one element an item, all of the list's name.
fn element(text: &mut String, name: &str, value: &Value) {
    if let Value::Array(items) = value {
        for item in items {
            element(text, name, item);
        }
        return;
    }
    let _ = write!(text, "<{name}>");
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| element(text, name, value)),
        Value::String(content) => escape(text, content),
        Value::Null | Value::Array(_) => {}
        Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
    }
    let _ = write!(text, "</{name}>");
}

fn escape(text: &mut String, content: &str) {
    for character in content.chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            other => text.push(other),
        }
    }
}
