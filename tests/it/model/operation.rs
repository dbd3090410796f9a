//! What may happen, and how likely it is.
//!
//! Everything is a small value that means something in every state, so that a failing sequence can
//! be made shorter by leaving steps out. Must not know what a step does.

use proptest::prelude::*;

use super::cluster::{NodeChange, Selector};

/// Node names and addresses are counted from 1 up to these.
const NAMES: u8 = 5;
pub(super) const ADDRESSES: u8 = 7;
pub(super) const DEVICES: usize = 2;

/// What the operator has no part in. May come at any moment, also in the middle of a pass.
#[derive(Debug, Clone)]
pub(super) enum Outside {
    Node(NodeChange),
    Device(usize, Edit),
}

/// What somebody does at a device.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    /// A record with a MAC address of somebody else's.
    AddForeign(u8),
    /// A record as we write it, for this address.
    AddOurForm(u8),
    /// The record with the MAC address that we derive from this address gets another endpoint,
    /// whether it was there or not.
    Redirect(u8),
    /// The same, and only the route domain differs.
    RedirectDomain(u8),
    Delete(u8),
    /// What was not saved is lost, what was saved is back.
    Reboot,
}

/// How deep a pass looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    Quick,
    Verify,
    Removal,
}

/// What a list of all nodes answers. A list is the newest state there is, or it is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Complete,
    /// Without an error, and without a node.
    Empty,
    /// Older than one that was seen before.
    Old,
}

/// What becomes of a write.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// The device did not carry it out, and did not answer.
    LostBefore,
    /// The device carried it out, and did not answer.
    LostAfter,
    /// The device did not answer and carries it out later.
    Late,
    Refused,
    /// The process ends: the claim is stored and the write was not sent.
    CrashBefore,
    /// The process ends: the write was carried out and is not read back.
    CrashAfter,
    /// Somebody is faster.
    Meanwhile(Outside),
}

/// One look at a device.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    pub(super) device: usize,
    pub(super) depth: Depth,
    pub(super) list: List,
    /// How many changes of the nodes the watch has not shown yet.
    pub(super) lag: usize,
    /// Whether the device does not answer at all.
    pub(super) is_down: bool,
    /// After how many writes what happens.
    pub(super) trouble: Option<(usize, Trouble)>,
}

impl Pass {
    /// A pass without trouble.
    pub(super) fn calm(device: usize, depth: Depth) -> Self {
        Self {
            device,
            depth,
            list: List::Complete,
            lag: 0,
            is_down: false,
            trouble: None,
        }
    }
}

/// A step.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Outside(Outside),
    Pass(Pass),
    /// The process ends and another one begins.
    Restart,
    /// A write that was lost takes effect.
    LateWrite(usize),
    /// The device saves, as the operator told it.
    Save(usize),
    Select(Selector),
    SetDelay(u64),
    SetPercent(u8),
    /// A person approves exactly what is held.
    Approve,
    /// So many seconds pass.
    Advance(u64),
}

fn node_change() -> impl Strategy<Value = NodeChange> {
    let (name, address) = (1..=NAMES, 1..=ADDRESSES);
    let placed = (name.clone(), address, any::<bool>());
    prop_oneof![
        5 => (placed.clone(), prop::bool::weighted(0.8)).prop_map(|((name, address, _), in_pool)| {
            NodeChange::Add { name, address, in_pool }
        }),
        3 => name.clone().prop_map(NodeChange::Delete),
        2 => placed.clone().prop_map(|(name, address, keeps_old)| {
            NodeChange::Move { name, address, keeps_old }
        }),
        1 => name.clone().prop_map(NodeChange::LoseAddresses),
        3 => Just(NodeChange::Undo),
        1 => name.clone().prop_map(NodeChange::Heartbeat),
        1 => name.prop_map(NodeChange::Relabel),
        1 => placed.prop_map(|(name, address, _)| NodeChange::Replace { name, address }),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let address = 1..=ADDRESSES;
    prop_oneof![
        1 => address.clone().prop_map(Edit::AddForeign),
        2 => address.clone().prop_map(Edit::AddOurForm),
        2 => address.clone().prop_map(Edit::Redirect),
        1 => address.clone().prop_map(Edit::RedirectDomain),
        2 => address.prop_map(Edit::Delete),
        3 => Just(Edit::Reboot),
    ]
}

fn outside() -> impl Strategy<Value = Outside> {
    prop_oneof![
        3 => node_change().prop_map(Outside::Node),
        1 => (0..DEVICES, edit()).prop_map(|(device, edit)| Outside::Device(device, edit)),
    ]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        1 => Just(Trouble::LostBefore),
        1 => Just(Trouble::LostAfter),
        2 => Just(Trouble::Late),
        1 => Just(Trouble::Refused),
        1 => Just(Trouble::CrashBefore),
        1 => Just(Trouble::CrashAfter),
        2 => outside().prop_map(Trouble::Meanwhile),
        // What a look at the node itself, right before its record is removed, is for.
        3 => Just(Trouble::Meanwhile(Outside::Node(NodeChange::Undo))),
    ]
}

fn pass() -> impl Strategy<Value = Pass> {
    let depth = prop_oneof![
        2 => Just(Depth::Removal),
        3 => Just(Depth::Verify),
        1 => Just(Depth::Quick),
    ];
    let list = prop_oneof![
        8 => Just(List::Complete),
        1 => Just(List::Empty),
        1 => Just(List::Old),
    ];
    let writes = prop_oneof![2 => Just(0), 1 => 1_usize..4];
    let trouble = prop::option::weighted(0.4, (writes, trouble()));
    let lag = prop_oneof![3 => Just(0), 1 => 1_usize..4];
    let is_down = prop::bool::weighted(0.1);
    (0..DEVICES, depth, list, lag, is_down, trouble).prop_map(
        |(device, depth, list, lag, is_down, trouble)| Pass {
            device,
            depth,
            list,
            lag,
            is_down,
            trouble,
        },
    )
}

fn operation() -> impl Strategy<Value = Operation> {
    let seconds = prop::sample::select(vec![1, 10, 30, 61, 80, 80, 600, 3700]);
    let selector = prop::sample::select(vec![Selector::All, Selector::Pool]);
    prop_oneof![
        10 => outside().prop_map(Operation::Outside),
        12 => pass().prop_map(Operation::Pass),
        6 => seconds.prop_map(Operation::Advance),
        1 => Just(Operation::Restart),
        1 => (0..DEVICES).prop_map(Operation::LateWrite),
        2 => (0..DEVICES).prop_map(Operation::Save),
        1 => selector.prop_map(Operation::Select),
        1 => prop::sample::select(vec![0, 30, 60]).prop_map(Operation::SetDelay),
        1 => prop::sample::select(vec![0, 10, 50, 100]).prop_map(Operation::SetPercent),
        1 => Just(Operation::Approve),
    ]
}

/// What happens, in this order.
pub(super) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 1..70)
}
