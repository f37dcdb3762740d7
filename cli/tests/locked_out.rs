//! Somebody has taken the caller's access entry away.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, WHOLE, edit_account};

#[test]
fn what_cannot_be_read_is_named_and_up_mends_the_way_in() {
    let place = Place::empty();
    place.write("rayplat.yaml", WHOLE);
    place.ok(&["up", "--rehearse", "--yes"]);
    edit_account(&place, |account| {
        let cluster = account.eks.clusters.get_mut("production-ray-cluster").unwrap();
        cluster.access_entries.retain(|principal, _| !principal.contains("AWSReservedSSO"));
    });
    let preview = place.run(&["preview", "--rehearse"]);
    assert_eq!(preview.code, 2, "{}", preview.stderr);
    assert!(preview.stdout.contains("1 to create, 82 unchanged."), "{}", preview.stdout);
    for part in [
        "\nnot read: 45 objects, taken as recorded until the access that this plan mends is in force; run it once more then (",
        "\n  kubernetes:Ray/ray/RayCluster/ray: taken as recorded\n",
    ] {
        assert!(preview.stdout.contains(part), "{part}: {}", preview.stdout);
    }
    let json = place.run(&["preview", "--rehearse", "--json"]).last_json();
    assert_eq!(json["unread"].as_array().unwrap().len(), 45);
    assert_eq!(json["unread"][0]["error"]["class"], "denied");
    let up = place.ok(&["up", "--rehearse", "--yes"]);
    assert!(up.stdout.contains("not read: 45 objects, ") && up.stdout.contains("Done: 1 created"), "{}", up.stdout);
}
