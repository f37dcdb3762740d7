//! How long things take, in seconds: the ranges seen in public logs of Terraform and
//! eksctl runs, and where none were seen, plausible ones of the same order.

/// A range to draw from.
pub(super) type Range = (f64, f64);

pub(super) const CLUSTER_CREATE: Range = (402.0, 606.0);
pub(super) const CLUSTER_DELETE: Range = (69.0, 228.0);
pub(super) const NODEGROUP_CREATE: Range = (88.0, 201.0);
/// At desired 0 no node has to join: 58 s were seen.
pub(super) const NODEGROUP_CREATE_EMPTY: Range = (52.0, 64.0);
pub(super) const NODEGROUP_DELETE: Range = (252.0, 501.0);
/// With no CNI nodes never become ready: EKS gives up after 15 to 20 minutes.
pub(super) const NODEGROUP_GIVE_UP: Range = (900.0, 1200.0);
/// Labels, taints, sizes: no node is replaced.
pub(super) const NODEGROUP_CONFIG_UPDATE: Range = (12.0, 45.0);
/// A roll replaces nodes one batch after another: this is for each batch.
pub(super) const NODEGROUP_ROLL_BATCH: Range = (150.0, 260.0);
/// With no node to replace.
pub(super) const NODEGROUP_ROLL_EMPTY: Range = (30.0, 60.0);
pub(super) const ADDON_DAEMONSET: Range = (24.0, 35.0);
pub(super) const ADDON_DEPLOYMENT: Range = (14.0, 56.0);
pub(super) const ADDON_UPDATE: Range = (20.0, 60.0);
pub(super) const ADDON_DELETE: Range = (8.0, 25.0);
/// From the first node to running replicas.
pub(super) const ADDON_RECOVERY: Range = (5.0, 20.0);
pub(super) const CLUSTER_CONFIG_UPDATE: Range = (45.0, 180.0);
pub(super) const CLUSTER_ENDPOINT_UPDATE: Range = (120.0, 360.0);
pub(super) const CLUSTER_VERSION_UPDATE: Range = (480.0, 900.0);
pub(super) const CLUSTER_ENCRYPTION: Range = (480.0, 1200.0);
/// Settings that no component has to be told about.
pub(super) const CLUSTER_FLAG_UPDATE: Range = (3.0, 15.0);
/// After an update the status may read ACTIVE while the next is still refused.
pub(super) const CLUSTER_BUSY_AFTER_UPDATE: Range = (0.5, 8.0);
/// From creation to the first log line, which makes the log group.
pub(super) const CLUSTER_FIRST_LOG: Range = (60.0, 180.0);
/// From the end of deletion to a last log line.
pub(super) const LATE_LOG: Range = (5.0, 60.0);
/// How often EKS writes a log group once more after its cluster is gone
/// (terraform-aws-eks#2486).
pub(super) const LATE_LOG_PROBABILITY: f64 = 0.3;
