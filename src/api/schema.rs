//! From the Rust types to the CRDs that clusters store.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use super::{RamAccessKey, RamAccount, RamGroup, RamPolicy, RamRevocation, RamTenant, RamUser};

/// The CRDs as they are installed, in the order account, tenant, user, access key, policy, group, revocation.
///
/// # Errors
/// When a type cannot be written as JSON, which the tests of this crate rule out.
pub fn crds() -> Result<Vec<Value>, serde_json::Error> {
    let all = [
        RamAccount::crd(),
        RamTenant::crd(),
        RamUser::crd(),
        RamAccessKey::crd(),
        RamPolicy::crd(),
        RamGroup::crd(),
        RamRevocation::crd(),
    ];
    all.iter().map(finish).collect()
}

/// One CRD as YAML.
///
/// # Errors
/// As [`crds`].
pub fn to_yaml(crd: &Value) -> Result<String, serde_saphyr::ser_error::Error> {
    serde_saphyr::to_string(crd)
}

fn finish(crd: &CustomResourceDefinition) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(crd)?;
    walk(&mut value);
    Ok(value)
}

/// Two rules the derive cannot express: a null is refused rather than stored for ever as "not managed",
/// and every list says how it merges.
fn walk(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("nullable") == Some(&Value::Bool(true)) {
                map.remove("nullable");
            }
            if is_list_schema(map) && !map.contains_key("x-kubernetes-list-type") {
                map.insert("x-kubernetes-list-type".to_owned(), json!("atomic"));
            }
            map.values_mut().for_each(walk);
        }
        Value::Array(items) => items.iter_mut().for_each(walk),
        _ => {}
    }
}

fn is_list_schema(map: &Map<String, Value>) -> bool {
    map.get("type") == Some(&json!("array")) && map.contains_key("items")
}
