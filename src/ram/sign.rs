//! Signature V1 of the RPC gateways: HMAC-SHA1 over all parameters, which all travel in the form body.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha1::Sha1;

use super::credentials::Credential;

/// Everything but the unreserved characters; the space is `%20`, never `+`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A parameter of a request: its name, and its value before encoding.
pub(super) type Param<'a> = (&'static str, &'a str);

/// The form body of a POST: `params`, the common parameters and, unless the call is anonymous, the signature.
///
/// `timestamp` is RAM's time; its fraction of a second is dropped. A nonce must not be used twice.
pub(super) fn form(
    action: &str,
    version: &str,
    params: &[Param<'_>],
    credential: Option<&Credential>,
    nonce: &str,
    timestamp: Timestamp,
) -> SecretString {
    let timestamp = Timestamp::from_second(timestamp.as_second()).unwrap_or(timestamp).to_string();
    let mut all = params.to_vec();
    all.extend([
        ("Action", action),
        ("Version", version),
        ("Format", "JSON"),
        ("SignatureNonce", nonce),
        ("Timestamp", timestamp.as_str()),
    ]);
    let Some(credential) = credential else {
        return canonical(&all).into();
    };
    all.extend([
        ("AccessKeyId", credential.access_key_id.as_str()),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
    ]);
    all.extend(credential.security_token.as_ref().map(|token| ("SecurityToken", token.expose_secret())));
    let query = canonical(&all);
    let signature = signature("POST", &credential.access_key_secret, &query);
    format!("{query}&Signature={}", encode(&signature)).into()
}

/// Percent-encodes as UTF-8, upper-case hex.
fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The parameters encoded, sorted by name and joined: what is signed, and what is sent.
fn canonical(params: &[Param<'_>]) -> String {
    let mut sorted = params.to_vec();
    sorted.sort_unstable();
    let pairs: Vec<String> = sorted.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// The string to sign: method, path `/` and the canonical query, encoded once more.
fn string_to_sign(method: &str, query: &str) -> String {
    format!("{method}&%2F&{}", encode(query))
}

/// The signature in Base64, before it is encoded into the request.
fn signature(method: &str, secret: &SecretString, query: &str) -> String {
    let key = Zeroizing::new(format!("{}&", secret.expose_secret()));
    // HMAC takes keys of any length, so there is no failure; an empty signature would simply be refused.
    Hmac::<Sha1>::new_from_slice(key.as_bytes()).map_or_else(
        |_| String::new(),
        |mut mac| {
            mac.update(string_to_sign(method, query).as_bytes());
            BASE64_STANDARD.encode(mac.finalize().into_bytes())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "testAccessKeySecret01";

    struct Vector {
        method: &'static str,
        secret: &'static str,
        params: &'static [Param<'static>],
        to_sign: &'static str,
        signature: &'static str,
    }

    /// Published by Alibaba Cloud in the documentation of RAM.
    const DOCUMENTED: Vector = Vector {
        method: "GET",
        secret: "testsecret",
        params: &[
            ("UserName", "test"),
            ("SignatureVersion", "1.0"),
            ("Format", "JSON"),
            ("Timestamp", "2015-08-18T03:15:45Z"),
            ("AccessKeyId", "testid"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("Version", "2015-05-01"),
            ("Action", "CreateUser"),
            ("SignatureNonce", "6a6e0ca6-4557-11e5-86a2-b8e8563dc8d2"),
        ],
        to_sign: "GET&%2F&AccessKeyId%3Dtestid%26Action%3DCreateUser%26Format%3DJSON%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D6a6e0ca6-4557-11e5-86a2-b8e8563dc8d2%26SignatureVersion%3D1.0%26Timestamp%3D2015-08-18T03%253A15%253A45Z%26UserName%3Dtest%26Version%3D2015-05-01",
        signature: "kRA2cnpJVacIhDMzXnoNZG9tDCI=",
    };

    /// Made with the official signer: all kinds of characters.
    const CREATE_USER: Vector = Vector {
        method: "POST",
        secret: SECRET,
        params: &[
            ("AccessKeyId", "testAccessKeyId01"),
            ("Action", "CreateUser"),
            ("Comments", "k8s: ns/app *+~ 用户 & 100%"),
            ("DisplayName", "Orders reader"),
            ("Format", "JSON"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
            ("SignatureType", ""),
            ("SignatureVersion", "1.0"),
            ("Timestamp", "2024-05-06T07:08:09Z"),
            ("UserName", "svc-orders.reader_01"),
            ("Version", "2015-05-01"),
        ],
        to_sign: "POST&%2F&AccessKeyId%3DtestAccessKeyId01%26Action%3DCreateUser%26Comments%3Dk8s%253A%2520ns%252Fapp%2520%252A%252B~%2520%25E7%2594%25A8%25E6%2588%25B7%2520%2526%2520100%2525%26DisplayName%3DOrders%2520reader%26Format%3DJSON%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D3f2504e0-4f89-11d3-9a0c-0305e82c3301%26SignatureType%3D%26SignatureVersion%3D1.0%26Timestamp%3D2024-05-06T07%253A08%253A09Z%26UserName%3Dsvc-orders.reader_01%26Version%3D2015-05-01",
        signature: "+jQEeg9Pg0l0m5GyD8XO7yXko9U=",
    };

    /// Made with the official signer: temporary credentials.
    const CREATE_ACCESS_KEY: Vector = Vector {
        method: "POST",
        secret: SECRET,
        params: &[
            ("AccessKeyId", "testAccessKeyId01"),
            ("Action", "CreateAccessKey"),
            ("Format", "JSON"),
            ("SecurityToken", "CAIS/token+with/special=chars=="),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "3f2504e0-4f89-11d3-9a0c-0305e82c3302"),
            ("SignatureType", ""),
            ("SignatureVersion", "1.0"),
            ("Timestamp", "2024-05-06T07:08:10Z"),
            ("UserName", "svc-orders.reader_01"),
            ("Version", "2015-05-01"),
        ],
        to_sign: "POST&%2F&AccessKeyId%3DtestAccessKeyId01%26Action%3DCreateAccessKey%26Format%3DJSON%26SecurityToken%3DCAIS%252Ftoken%252Bwith%252Fspecial%253Dchars%253D%253D%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D3f2504e0-4f89-11d3-9a0c-0305e82c3302%26SignatureType%3D%26SignatureVersion%3D1.0%26Timestamp%3D2024-05-06T07%253A08%253A10Z%26UserName%3Dsvc-orders.reader_01%26Version%3D2015-05-01",
        signature: "bhNs/TY7/r60OCC37YF4SYNd578=",
    };

    /// Made with the official signer: parameters in the form body.
    const ATTACH_POLICY: Vector = Vector {
        method: "POST",
        secret: SECRET,
        params: &[
            ("AccessKeyId", "testAccessKeyId01"),
            ("Action", "AttachPolicyToUser"),
            ("Format", "JSON"),
            ("PolicyName", "AliyunOTSReadOnlyAccess"),
            ("PolicyType", "System"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "3f2504e0-4f89-11d3-9a0c-0305e82c3303"),
            ("SignatureType", ""),
            ("SignatureVersion", "1.0"),
            ("Timestamp", "2024-05-06T07:08:11Z"),
            ("UserName", "svc-orders.reader_01"),
            ("Version", "2015-05-01"),
        ],
        to_sign: "POST&%2F&AccessKeyId%3DtestAccessKeyId01%26Action%3DAttachPolicyToUser%26Format%3DJSON%26PolicyName%3DAliyunOTSReadOnlyAccess%26PolicyType%3DSystem%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D3f2504e0-4f89-11d3-9a0c-0305e82c3303%26SignatureType%3D%26SignatureVersion%3D1.0%26Timestamp%3D2024-05-06T07%253A08%253A11Z%26UserName%3Dsvc-orders.reader_01%26Version%3D2015-05-01",
        signature: "MOZhwryQRYTa079Btwfzl1dlNrU=",
    };

    /// Made with the official signer: the newer core's set of parameters.
    const LIST_ACCESS_KEYS: Vector = Vector {
        method: "POST",
        secret: SECRET,
        params: &[
            ("AccessKeyId", "testAccessKeyId01"),
            ("Action", "ListAccessKeys"),
            ("Format", "json"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "0123456789abcdef0123456789abcdef"),
            ("SignatureVersion", "1.0"),
            ("Timestamp", "2024-05-06T07:08:12Z"),
            ("UserName", "svc-orders.reader_01"),
            ("Version", "2015-05-01"),
        ],
        to_sign: "POST&%2F&AccessKeyId%3DtestAccessKeyId01%26Action%3DListAccessKeys%26Format%3Djson%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D0123456789abcdef0123456789abcdef%26SignatureVersion%3D1.0%26Timestamp%3D2024-05-06T07%253A08%253A12Z%26UserName%3Dsvc-orders.reader_01%26Version%3D2015-05-01",
        signature: "/WfqQ8N1a2FSIHYyMfHo0Yn6tQ4=",
    };

    #[test]
    fn agrees_with_the_official_signers() {
        for vector in [DOCUMENTED, CREATE_USER, CREATE_ACCESS_KEY, ATTACH_POLICY, LIST_ACCESS_KEYS] {
            let query = canonical(vector.params);
            assert_eq!(string_to_sign(vector.method, &query), vector.to_sign);
            assert_eq!(signature(vector.method, &vector.secret.into(), &query), vector.signature);
        }
    }

    #[test]
    fn encodes_every_byte_by_the_rule() {
        for code in 0..=0x7f_u8 {
            let text = char::from(code).to_string();
            let expected = if code.is_ascii_alphanumeric() || b"-_.~".contains(&code) {
                text.clone()
            } else {
                format!("%{code:02X}")
            };
            assert_eq!(encode(&text), expected, "byte {code:#04x}");
        }
        // Beyond ASCII every byte of the UTF-8 form is encoded: two, three and four of them.
        for point in ('\u{80}'..='\u{7ff}').chain('\u{fff0}'..='\u{1000f}').chain(['\u{e000}', '\u{10ffff}']) {
            let text = point.to_string();
            let expected: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
            assert_eq!(encode(&text), expected, "{point:?}");
        }
    }

    #[test]
    fn decoding_gives_the_text_back() {
        let text: String = (0..=0x2fff_u32).filter_map(char::from_u32).collect();
        assert_eq!(percent_encoding::percent_decode_str(&encode(&text)).decode_utf8().unwrap(), text);
    }

    fn temporary() -> Credential {
        Credential {
            access_key_id: "STS.id".to_owned(),
            access_key_secret: "hush".into(),
            security_token: Some("token+/=".into()),
            expiration: None,
        }
    }

    #[test]
    fn signed_form_carries_everything_in_the_body() {
        let time = Timestamp::from_millisecond(1_714_979_289_900).unwrap();
        let body = form("GetUser", "2015-05-01", &[("UserName", "a b")], Some(&temporary()), "n-1", time);
        let body = body.expose_secret();
        let (query, signed) = body.split_once("&Signature=").unwrap();
        assert_eq!(
            query,
            "AccessKeyId=STS.id&Action=GetUser&Format=JSON&SecurityToken=token%2B%2F%3D&SignatureMethod=HMAC-SHA1\
             &SignatureNonce=n-1&SignatureVersion=1.0&Timestamp=2024-05-06T07%3A08%3A09Z&UserName=a%20b&Version=2015-05-01"
        );
        assert_eq!(signed, encode(&signature("POST", &"hush".into(), query)));
    }

    #[test]
    fn anonymous_form_is_not_signed() {
        let body = form("AssumeRoleWithOIDC", "2015-04-01", &[], None, "n-1", Timestamp::UNIX_EPOCH);
        assert_eq!(
            body.expose_secret(),
            "Action=AssumeRoleWithOIDC&Format=JSON&SignatureNonce=n-1&Timestamp=1970-01-01T00%3A00%3A00Z&Version=2015-04-01"
        );
    }
}
