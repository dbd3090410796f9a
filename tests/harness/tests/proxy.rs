//! The proxy before a real API server: what each of its faults does to lists, writes and watches.

#![expect(
    clippy::unwrap_used,
    reason = "functions that tests share may fail them"
)]

use std::pin::pin;
use std::time::Duration;

use bigip_tunnel_harness::control_plane::{self, ControlPlane};
use bigip_tunnel_harness::nodes::{GROUP_LABEL, Nodes};
use bigip_tunnel_harness::objects;
use bigip_tunnel_harness::proxy::{Loss, Proxy, Rewrite, Rule, Seen, Trouble};
use futures::{FutureExt as _, StreamExt as _};
use http::StatusCode;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{ListParams, ObjectMeta, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};

const LIMIT: Duration = Duration::from_secs(30);

/// A client to the shared API server, a proxy, and a client over it.
async fn proxied() -> (Client, Proxy, Client) {
    let kubeconfig = ControlPlane::shared().unwrap().kubeconfig().to_owned();
    let direct = control_plane::client(&kubeconfig).await.unwrap();
    let proxy = Proxy::start(&kubeconfig).await.unwrap();
    let over = control_plane::client(&proxy.kubeconfig()).await.unwrap();
    (direct, proxy, over)
}

/// The same, with nodes of a group and the parameters of a list of them.
async fn proxied_with_nodes(group: &str, count: u8) -> (Proxy, Api<Node>, ListParams) {
    let (direct, proxy, over) = proxied().await;
    let nodes = Nodes::new(direct, group);
    for number in 1..=count {
        let name = format!("{group}-{number}");
        nodes
            .create(&name, &format!("10.9.0.{number}"))
            .await
            .unwrap();
    }
    let group = ListParams::default().labels(&format!("{GROUP_LABEL}={group}"));
    (proxy, Api::all(over), group)
}

fn is_list_of_nodes(seen: &Seen) -> bool {
    seen.is_list_of("nodes")
}

/// A namespace to write to, directly and over the proxy.
struct Writing {
    proxy: Proxy,
    stored: Api<ConfigMap>,
    over: Api<ConfigMap>,
}

impl Writing {
    async fn to(namespace: &str) -> Self {
        let (direct, proxy, over) = proxied().await;
        objects::create_namespace(&direct, namespace).await.unwrap();
        Self {
            proxy,
            stored: Api::namespaced(direct, namespace),
            over: Api::namespaced(over, namespace),
        }
    }

    async fn create(&self, name: &str) -> Result<(), kube::Error> {
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        };
        let created = self.over.create(&PostParams::default(), &map).await;
        created.map(drop)
    }

    async fn is_stored(&self, name: &str) -> bool {
        self.stored.get_opt(name).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn truncated_list_lacks_nodes_without_a_sign() {
    let (proxy, nodes, group) = proxied_with_nodes("proxy-cut", 3).await;
    let cut = Rewrite::cut(2).and(Rewrite::drop_continue());
    let fault = proxy.make_trouble(Trouble::Rewrite(cut), is_list_of_nodes);
    let list = nodes.list(&group).await.unwrap();
    assert_eq!(list.items.len(), 2);
    assert_eq!(list.metadata.continue_, None);
    assert_eq!(proxy.effects(fault), 1);
    proxy.clear();
    assert_eq!(nodes.list(&group).await.unwrap().items.len(), 3);
}

#[tokio::test]
async fn page_without_continue_appears_complete() {
    let (proxy, nodes, group) = proxied_with_nodes("proxy-page", 3).await;
    let page = group.limit(2);
    let honest = nodes.list(&page).await.unwrap().metadata;
    assert!(honest.continue_.is_some());
    assert_eq!(honest.remaining_item_count, None, "not with a selector");
    proxy.make_trouble(Trouble::Rewrite(Rewrite::drop_continue()), is_list_of_nodes);
    let list = nodes.list(&page).await.unwrap();
    assert_eq!((list.items.len(), list.metadata.continue_), (2, None));
}

#[tokio::test]
async fn replaced_list_keeps_its_older_version() {
    let (proxy, nodes, group) = proxied_with_nodes("proxy-old", 1).await;
    let older = nodes.list(&group).await.unwrap();
    let version = older.metadata.resource_version.clone();
    let snapshot = serde_json::to_value(&older).unwrap();
    nodes
        .delete("proxy-old-1", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    proxy.make_trouble(
        Trouble::Rewrite(Rewrite::replace(snapshot)),
        is_list_of_nodes,
    );
    let list = nodes.list(&group).await.unwrap();
    assert_eq!(list.items.len(), 1);
    assert_eq!(list.metadata.resource_version, version);
}

#[tokio::test]
async fn write_with_a_lost_answer_stays_stored() {
    let writing = Writing::to("proxy-lost").await;
    let late = Trouble::AnswerAfter(Loss::GatewayTimeout);
    writing.proxy.make_trouble(late, Seen::is_mutation);
    let kube::Error::Api(status) = writing.create("late").await.unwrap_err() else {
        unreachable!("an answer of the gateway");
    };
    assert_eq!(status.code, StatusCode::GATEWAY_TIMEOUT.as_u16());
    assert!(writing.is_stored("late").await);
    writing.proxy.clear();
    let broken = Trouble::AnswerAfter(Loss::BrokenConnection);
    writing.proxy.make_trouble(broken, Seen::is_mutation);
    let error = writing.create("broken").await.unwrap_err();
    assert!(!matches!(error, kube::Error::Api(_)), "{error:?}");
    assert!(writing.is_stored("broken").await);
}

#[tokio::test]
async fn nth_request_alone_is_stored_and_never_answered() {
    let writing = Writing::to("proxy-nth").await;
    let silent = Trouble::AnswerAfter(Loss::Silence);
    let fault = Rule::new(silent, Seen::is_mutation).nth(2);
    let fault = writing.proxy.add(fault);
    writing.create("first").await.unwrap();
    let mut second = Box::pin(writing.create("second"));
    tokio::select! {
        answered = &mut second => answered.unwrap(),
        held = writing.proxy.until_effects(fault, 1, LIMIT) => held.unwrap(),
    }
    assert!(second.as_mut().now_or_never().is_none());
    assert!(writing.is_stored("second").await);
    writing.create("third").await.unwrap();
    drop(second);
    writing.proxy.until_idle(LIMIT).await.unwrap();
}

#[tokio::test]
async fn silent_request_of_a_closed_client_is_not_forwarded() {
    let writing = Writing::to("proxy-gone").await;
    let fault = Rule::new(Trouble::Silence, Seen::is_mutation).nth(1);
    let fault = writing.proxy.add(fault);
    tokio::select! {
        answered = writing.create("gone") => answered.unwrap(),
        held = writing.proxy.until_effects(fault, 1, LIMIT) => held.unwrap(),
    }
    writing.proxy.until_idle(LIMIT).await.unwrap();
    writing.proxy.clear();
    assert!(!writing.is_stored("gone").await);
}

#[tokio::test]
async fn held_watch_shows_nothing_while_lists_are_new() {
    let (proxy, nodes, group) = proxied_with_nodes("proxy-held", 1).await;
    let version = nodes.list(&group).await.unwrap().metadata.resource_version;
    let selector = format!("{GROUP_LABEL}=proxy-held");
    let params = WatchParams::default().labels(&selector);
    let events = nodes.watch(&params, version.as_deref().unwrap()).await;
    let mut events = pin!(events.unwrap());
    let fault = proxy.make_trouble(Trouble::HoldWatch, |_| true);
    nodes
        .delete("proxy-held-1", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(nodes.list(&group).await.unwrap().items.len(), 0);
    let mut next = events.next();
    tokio::select! {
        event = &mut next => unreachable!("{event:?}"),
        held = proxy.until_effects(fault, 1, LIMIT) => held.unwrap(),
    }
    proxy.remove(fault);
    let event = next.await.unwrap().unwrap();
    assert!(matches!(event, WatchEvent::Deleted(_)), "{event:?}");
}
