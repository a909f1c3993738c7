//! The kinds that people write: `RamAccount`, `RamTenant`, `RamUser`, `RamAccessKey`, `RamPolicy`, `RamGroup`, `RamRevocation`.
//!
//! Types and schema rules only. What the schema cannot refuse, [`crate::plan`] decides.

mod common;
mod console_login;
mod management;
mod ram_access_key;
mod ram_account;
mod ram_group;
mod ram_policy;
mod ram_revocation;
mod ram_tenant;
mod ram_user;
mod schema;
mod settings;
mod virtual_mfa;

pub use common::{AccountRef, Request, Requests, Span, Status};
pub use console_login::{
    ChangeAtLogon, ConsoleLogin, InitialPassword, LoginState, LoginStatus, MfaDemand, NamedSecret, PasswordSource,
    SecretKeyRef,
};
pub use management::{Adoption, AdoptionStatus, Management, Observed};
pub use ram_access_key::{
    AdoptFrom, AllowedSources, AnnotationValue, Binding, Format, Intent, KeyDeletionPolicy, KeyState, LabelValue,
    RamAccessKey, RamAccessKeySpec, RamAccessKeyStatus, Restart, RestartTarget, RetiringKey, RevokedKey, Rotation,
    SecretOutput, SourcesSet, Template, UserRef, VpcSource, Why, WorkloadKind,
};
pub use ram_account::{
    AssumeRole, CredentialSecret, CredentialSource, Credentials, Endpoints, RamAccount, RamAccountSpec,
    RamAccountStatus, Usage, Used, UserQuotas,
};
pub use ram_group::{RamGroup, RamGroupSpec, RamGroupStatus};
pub use ram_policy::{AttachedTo, Effect, PolicyStatement, RamPolicy, RamPolicySpec, RamPolicyStatus, Written};
pub use ram_revocation::{
    LeftKind, LeftOver, Order, OrderedUser, RamRevocation, RamRevocationSpec, RamRevocationStatus,
};
pub use ram_tenant::{
    Adopt, Attach, DocumentBounds, KeyBounds, Limits, Names, NamespaceSelector, Necessity, Permission, RamTenant,
    RamTenantSpec, RamTenantStatus, Requirement, SelectorOperator, TenantUse,
};
pub use ram_user::{
    Attachments, GroupKind, GroupMembership, InventoryKey, KeyOwner, PolicyAttachment, PolicyKind, RamUser,
    RamUserSpec, RamUserStatus, UserDeletionPolicy, UserState, UserUsage,
};
pub use schema::{crds, to_yaml};
pub use settings::{
    AccountSettings, MfaOperation, PasswordPolicy, SecurityPreference, SettingStatus, SettingsStatus, VerificationType,
};
pub use virtual_mfa::{MfaBinder, MfaPhase, MfaState, SeedSecret, VirtualMfa, VirtualMfaStatus};

/// API group of every kind, and prefix of every label, annotation and finalizer this operator writes.
pub const GROUP: &str = "ram-operator.dev";
/// The one served version.
pub const VERSION: &str = "v1alpha1";
/// Keeps an object until what it made in RAM is taken away.
pub const FINALIZER: &str = "ram-operator.dev/revoke";
/// Label of every Secret with a generated password; its value names the `RamUser`.
pub const LOGIN_LABEL: &str = "ram-operator.dev/console-login";
/// Label of every Secret with the seed of an MFA device; its value names the `RamUser`.
pub const MFA_LABEL: &str = "ram-operator.dev/virtual-mfa";
/// Label of every Secret this operator publishes; its value names the `RamAccessKey`.
pub const SECRET_LABEL: &str = "ram-operator.dev/access-key";

/// Annotation keys, by Kubernetes API conventions under our group.
pub mod annotation {
    /// `"true"` stops grants and drift repair of this object; never deletion or retirement.
    pub const PAUSED: &str = "ram-operator.dev/paused";
    /// Any new value asks for one pass now; `status.requests.reconcile.done` echoes it.
    pub const RECONCILE: &str = "ram-operator.dev/reconcile";
    /// On a RamAccessKey: any new value asks for a new pair now; `status.requests.rotate.done` echoes it.
    pub const ROTATE: &str = "ram-operator.dev/rotate";
    /// On a RamAccessKey: the id of a key to be disabled at once, replaced and deleted; `status.requests.revoke.done` echoes it.
    pub const REVOKE: &str = "ram-operator.dev/revoke";
    /// On a RamAccessKey: the id of a key to be enabled again; `status.requests.restore.done` echoes it.
    pub const RESTORE: &str = "ram-operator.dev/restore";
    /// On a RamUser: any new value asks for another password now; `status.requests.resetPassword.done` echoes it.
    pub const RESET_PASSWORD: &str = "ram-operator.dev/reset-password";
    /// On a RamUser, RamGroup or RamPolicy: lets what was adopted be made as the spec says, also where that takes something away.
    pub const ACCEPT_ADOPTION: &str = "ram-operator.dev/accept-adoption";
    /// On a RamUser: any new value asks for another MFA device now; `status.requests.resetMfa.done` echoes it.
    pub const RESET_MFA: &str = "ram-operator.dev/reset-mfa";
    /// On a RamRevocation: gives the order up; its value says why.
    pub const ABANDON: &str = "ram-operator.dev/abandon";
    /// On the pod template of a restart target, before the name of the RamAccessKey: the id of the key that it was restarted for.
    pub const RESTARTED_FOR: &str = "ram-operator.dev/restarted-for.";
    /// On a Secret: the id of the published AccessKey.
    pub const ACCESS_KEY_ID: &str = "ram-operator.dev/access-key-id";
    /// On a Secret: the account the pair belongs to.
    pub const ACCOUNT_ID: &str = "ram-operator.dev/account-id";
    /// On a Secret: the RAM `UserId` the pair belongs to.
    pub const USER_ID: &str = "ram-operator.dev/user-id";
    /// On a Secret: when the pair was published, RFC 3339.
    pub const PUBLISHED_TIME: &str = "ram-operator.dev/published-time";
    /// On a Secret: the intent whose mint made the pair.
    pub const INTENT: &str = "ram-operator.dev/intent";
    /// On a Secret: the keys on their way out when the pair was published, `id@time` joined by commas; `@Stray` or `@Revoked` follows where
    /// the key was not replaced.
    pub const RETIRING: &str = "ram-operator.dev/retiring";
    /// On a Secret: the operator's seal over the keys on their way out, since whoever may write the Secret could name others.
    pub const RETIRING_SEAL: &str = "ram-operator.dev/retiring-seal";
    /// On a Secret: hex SHA-256 over id, newline and secret.
    pub const PAIR_SHA256: &str = "ram-operator.dev/pair-sha256";
    /// On a Secret: moved to refuse a late writer that holds an older resourceVersion.
    pub const FENCED_TIME: &str = "ram-operator.dev/fenced-time";
    /// On a Secret for the seed of an MFA device: another word with each write, so that a late writer that holds an older resourceVersion is refused.
    pub const SEED_WRITE: &str = "ram-operator.dev/seed-write";
}
