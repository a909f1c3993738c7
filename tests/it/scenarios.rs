//! What users do, on the real API server, with the exact writes that RAM sees.

use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn from_apply_to_a_working_credential_and_away() {
    let world = World::new("create").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamUser", "reader").await;
    let key = world.available("RamAccessKey", "ingest").await;
    let name = world.ram_name("reader");
    assert_eq!(
        world.writes(),
        [
            format!("CreateUser {name}"),
            format!("AttachPolicyToUser {name} System/AliyunOTSReadOnlyAccess"),
            format!("CreateAccessKey {name}"),
        ]
    );
    let (id, _) = world.pair("ingest").await;
    assert_eq!(key["status"]["accessKeyId"], json!(id));
    // What makes it a Provisioned Service of servicebinding.io.
    assert_eq!(key["status"]["binding"], json!({"name": "ingest"}));
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(
        world.writes(),
        [
            "UpdateAccessKey #1 Inactive".to_owned(),
            "DeleteAccessKey #1".to_owned(),
            format!("DetachPolicyFromUser {name} System/AliyunOTSReadOnlyAccess"),
            format!("DeleteUser {name}"),
        ]
    );
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
