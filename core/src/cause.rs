//! Why a claimed record is not desired any more.
//!
//! A node that was replaced leaves its record behind as a matter of course; a selector, or addresses that
//! change, can do so by mistake. Knows nothing of whether a record may go.

use std::collections::BTreeMap;

use crate::claims::NodeNames;
use crate::guard::Absences;
use crate::mac::MacAddress;
use crate::node::NodeView;

/// Why a claimed record is not desired any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Its Node is gone.
    NodeDeleted,
    /// Its Node exists and is not selected.
    Deselected,
    /// Its Node is selected, and the node or the spec derives another record now.
    AddressChanged,
}

/// The cause of each of these records, by what the list of nodes says. Of several nodes of one record the
/// one counts that has most left.
pub fn causes(
    records: impl IntoIterator<Item = MacAddress>,
    nodes: &[NodeView],
    names: &NodeNames,
    absences: &Absences,
) -> BTreeMap<MacAddress, Cause> {
    let mut by_name: Option<BTreeMap<&str, &NodeView>> = None;
    let of = |mac: MacAddress| {
        let by_name =
            by_name.get_or_insert_with(|| nodes.iter().map(|n| (n.name.as_str(), n)).collect());
        let absence = absences.get(mac);
        let had_it = absence.and_then(|absence| absence.node.as_ref());
        let noted = names.of(mac).map(|name| &**name);
        let existing = noted
            .chain(had_it.map(|node| node.name.as_str()))
            .filter_map(|name| by_name.get(name));
        // A Node of the same name with another uid is one that replaces it.
        let is_new = |node: &NodeView| {
            had_it.is_some_and(|before| before.name == node.name && before.uid != node.uid)
        };
        let left = existing.filter(|node| !is_new(node)).map(|node| {
            if node.selected {
                Cause::AddressChanged
            } else {
                Cause::Deselected
            }
        });
        left.max().unwrap_or(Cause::NodeDeleted)
    };
    let mut of = of;
    records.into_iter().map(|mac| (mac, of(mac))).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::desired::desired;
    use crate::mac::MacPrefix;
    use crate::node::AddressRule;
    use crate::testing::{mac, node, worker};
    use crate::time::Moment;

    const MAC: &str = "0a:0a:0a:00:00:01";

    fn cause(names: &[&str], nodes: &[NodeView], absences: &Absences) -> Cause {
        let mut noted = NodeNames::default();
        for name in names {
            noted.insert(mac(MAC), name);
        }
        causes([mac(MAC)], nodes, &noted, absences)[&mac(MAC)]
    }

    #[test]
    fn cause_follows_from_the_nodes_that_remain() {
        let none = Absences::default();
        let others = [worker("other", "10.0.0.2")];
        assert_eq!(cause(&["worker"], &others, &none), Cause::NodeDeleted);
        let changed = [worker("worker", "10.0.0.9")];
        assert_eq!(cause(&["worker"], &changed, &none), Cause::AddressChanged);
        let outside = [node("worker").unselected().build()];
        assert_eq!(cause(&["worker"], &outside, &none), Cause::Deselected);
        assert_eq!(cause(&[], &changed, &none), Cause::NodeDeleted);
    }

    #[test]
    fn existing_node_decides_the_cause() {
        let none = Absences::default();
        let nodes = [
            worker("there", "10.0.0.9"),
            node("out").unselected().build(),
        ];
        let names = ["gone", "out", "there"];
        assert_eq!(cause(&names, &nodes, &none), Cause::AddressChanged);
        assert_eq!(cause(&names[..2], &nodes, &none), Cause::Deselected);
    }

    #[test]
    fn recreated_node_replaces_the_deleted_one() {
        let derive =
            |nodes: &[NodeView]| desired(nodes, MacPrefix::DEFAULT, &AddressRule::default());
        let before = worker("worker", "10.0.0.1");
        let after = NodeView {
            uid: "uid-2".into(),
            ..worker("worker", "10.0.0.9")
        };
        let mut absences = Absences::default();
        let now = (Moment::since_start(Duration::ZERO), Timestamp::UNIX_EPOCH);
        let nodes = [after];
        let (old, new) = (derive(&[before]), derive(&nodes));
        absences.update(&[mac(MAC)].into(), &old, &new, now);
        assert_eq!(cause(&["worker"], &nodes, &absences), Cause::NodeDeleted);
        // A process that did not see the first one cannot tell them apart.
        let unseen = Absences::default();
        assert_eq!(cause(&["worker"], &nodes, &unseen), Cause::AddressChanged);
    }
}
