//! Every reason a condition can give: a constant each, with what it means and what to do.

/// Whether an object is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// `Ready=True`.
    Yes,
    /// `Ready=False`; it heals when the cause is gone.
    No,
    /// `Ready=False` and `Stalled=True`; only a person can change it.
    Stalled,
    /// `Ready=Unknown`.
    Unknown,
}

macro_rules! reasons {
    ($($name:ident $readiness:ident $meaning:literal $advice:literal;)*) => {
        /// Why an object is as it is. The variants' names are the conditions' reasons.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)*
        }

        impl Reason {
            /// Every reason, in the order of the documentation's table.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// The condition's `reason`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Reason::$name => stringify!($name),)* }
            }

            /// What it says of `Ready`.
            #[must_use]
            pub fn readiness(self) -> Readiness {
                match self { $(Reason::$name => Readiness::$readiness,)* }
            }

            /// Whether somebody should know: not what is as asked for, and not what merely takes its time.
            #[must_use]
            pub fn is_trouble(self) -> bool {
                let as_asked = matches!(
                    self,
                    Self::Paused | Self::Planned | Self::Inactive | Self::Suspended | Self::UserSuspended
                );
                let in_time = matches!(
                    self,
                    Self::Deleting
                        | Self::WaitingForKeys
                        | Self::UserNotReady
                        | Self::AwaitingWindow
                        | Self::AwaitingReplacement
                        | Self::GracePeriod
                        | Self::SourcesPending
                        | Self::Unsettled
                );
                self.readiness() != Readiness::Yes && !as_asked && !in_time
            }

            /// What is so: a sentence without its full stop.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Reason::$name => $meaning,)* }
            }

            /// What to do: a whole sentence.
            #[must_use]
            pub fn advice(self) -> &'static str {
                match self { $(Reason::$name => $advice,)* }
            }
        }
    };
}

reasons! {
    Available Yes "Everything is as asked for" "Nothing to do.";
    Observed Yes "It is there, and is only observed" "Nothing to do.";
    Planned No "Nothing is written, as spec.management asks" "See status.plan, and set spec.management to Manage to have it carried out.";
    Paused No "A change is wanted, but the object is paused" "Remove the annotation ram-operator.dev/paused to go on.";
    Deleting No "It is being taken away" "Wait.";
    InvalidSpec Stalled "The stored object does not fit this version's schema" "Correct the field named by the operator's log, or upgrade the CRDs.";

    AccountNotFound No "The RamAccount does not exist" "Create it, or correct accountRef in a new object.";
    AccountNotReady No "The RamAccount is not ready" "See its conditions.";
    AccountLeaving No "The RamAccount is being deleted, so that nothing new is made in it" "Delete this object, or create the RamAccount again.";
    WrongAccount Stalled "This belongs to another Alibaba Cloud account than the one in use" "Give the RamAccount the credentials of the account it began with; nothing is written until then.";
    AccountAlreadyManaged Stalled "An older RamAccount is in charge of this Alibaba Cloud account" "Use that one, and delete this one.";
    CredentialsNotFound No "The operator's own credentials cannot be found" "Create what the detail names.";
    CredentialsInvalid No "The operator's own credentials are not accepted" "Put a working AccessKey pair or role in place.";
    CredentialsRefused Stalled "The credentials may not be taken from there" "Use the operator's namespace, or start the operator with the flag that the detail names.";
    EndpointRefused Stalled "An endpoint outside aliyuncs.com, or without TLS, is not allowed" "Remove it, or start the operator with --allow-custom-endpoints.";
    InUse No "Objects still depend on it" "Delete the objects that the detail names, or wait for their deletion.";

    Applied Yes "The account's settings are as asked for" "Nothing to do.";
    AliasDiffers No "The account has another alias than asked for" "Put the one it has into settings.alias, or set settings.aliasChange to Allow, which renames the log-on of every user.";
    AliasTaken No "The alias cannot be had: another account has it" "Choose another settings.alias.";
    SettingsContested No "Somebody else keeps changing a setting, or RAM does not keep it, so that it is written no more" "Find who changes it, and have one side give in; any change of the spec tries again.";
    SourcesShutOut No "The allowed sources of the account's keys could shut out the operator itself" "Give the operator a role, or give its own AccessKey sources of its own in RAM, which count in place of the account's.";

    NotATenant No "No RamTenant of this account selects the namespace" "Ask the platform team for a RamTenant, or a label on the namespace.";
    TenantAmbiguous No "More than one RamTenant of this account selects the namespace" "Ask the platform team to leave one.";
    NameNotAllowed No "The tenant does not allow this name in RAM" "Leave the name out in a new object, or ask for it in the RamTenant's names.";
    PolicyNotAllowed No "The tenant does not allow a policy" "Remove the policy, or ask for it in the RamTenant's attach.";
    RetainNotAllowed No "The tenant does not allow a deletionPolicy other than Delete, so that Delete is what a deletion does now" "Set deletionPolicy to Delete, or ask for retain: Allow in the RamTenant.";
    LimitReached No "The tenant's limit is reached" "Delete objects that are not needed, or ask for a higher limit.";

    NameRefused Stalled "RAM does not accept this name" "Create another object with a name that RAM takes, such as a groupName without dots, which the tenant must allow, and delete this one.";
    Foreign Stalled "RAM has one of this name that was not made here, or was left behind by Retain" "Choose another name in a new object, remove that one by hand, or take it over by spec.adoption; it is not touched.";
    OwnedElsewhere Stalled "The one of this name in RAM belongs to another object or installation" "Choose another name in a new object; it is not touched.";
    Contested Stalled "Another object keeps taking this one in RAM" "Find the other installation with the same ownerId and namespace, and stop one of them.";
    NotInRam No "RAM has none of this name to observe" "Create it in RAM, or delete this object.";
    AdoptionNotAllowed No "The tenant does not allow to adopt or to observe what has this name" "Ask for the name in the RamTenant's adopt.";
    AdoptionExceedsTenant No "What is to be adopted has more than the tenant allows" "Take it away in RAM, or ask for it in the RamTenant's attach; nothing is written until then.";
    AdoptionPending No "What was adopted is not made as asked for, since that would take something away" "Accept it by the annotation ram-operator.dev/accept-adoption, or change the spec.";
    NoRoomForMarker Stalled "The text that it has in RAM leaves no room for our marker" "Shorten that text in RAM, or give another one in the spec.";
    Replaced Stalled "Another one has taken the name in RAM" "Delete or rename that one in RAM; it is not touched.";
    UserRenamed Stalled "The RAM user was renamed by hand" "Rename it back in RAM.";
    PolicyNotFound Stalled "RAM has no policy of this name" "Correct the policy's type and name.";
    PolicyNotReady No "A RamPolicy does not exist, or has no policy in RAM yet" "Create it in this namespace, or see its conditions.";
    DocumentInvalid Stalled "RAM would refuse the policy document" "Correct what the detail names.";
    DocumentNotAllowed No "The tenant does not allow what a policy document allows" "Narrow the document, or ask for more in the RamTenant's documents.";
    ConsoleLoginNotAllowed No "The tenant does not allow log-on to the console" "Remove consoleLogin, or ask for consoleLogin: Allow in the RamTenant.";
    LoginTakenOutside Stalled "Somebody else disabled or removed the log-on" "Enable it in RAM, or ask for a new password by the annotation ram-operator.dev/reset-password; it is not given back by itself.";
    PasswordNotFound No "The first password is not there" "Create the Secret that the detail names, or use the source Generate.";
    PasswordRefused Stalled "RAM does not accept the password" "Choose one that fits the account's password policy and was not used before.";
    PasswordNeeded Stalled "RAM changes this log-on only together with a new password" "Ask for one by the annotation ram-operator.dev/reset-password.";
    DomainUnknown No "The account's default domain could not be read, which names users for log-on" "Allow the operator ram:GetDefaultDomain.";
    MfaTakenOutside Stalled "Somebody else took the user's MFA device away" "Bind one in the console, or ask for another one by the annotation ram-operator.dev/reset-mfa; none is made by itself.";
    MfaDeviceHeld Stalled "Another user has the MFA device that was made for this one" "Unbind it in RAM; it is not touched.";
    MfaCodesRefused No "RAM does not accept the codes of the seed in the Secret" "Wait; if this stays, ask for another device by the annotation ram-operator.dev/reset-mfa.";
    GroupNotReady No "A RamGroup does not exist, or has no group in RAM yet" "Create it in this namespace, or see its conditions.";
    GroupNotFound Stalled "RAM has no group of this name" "Correct the group's type and name.";
    GroupNotAllowed No "The tenant does not allow a group" "Remove the group, or ask for it in the RamTenant's attach.groups.";
    GroupExceedsTenant No "A group holds more than the tenant allows" "Remove the group, take the policy from it, or ask for the policy in the RamTenant's attach.";
    QuotaReached No "A quota of RAM is reached" "Remove what is not needed in RAM, or have the quota raised.";
    Blocked Stalled "It cannot be deleted from RAM while something foreign hangs on it" "Remove in RAM what the detail names; it is not touched.";
    WaitingForKeys No "RamAccessKeys of this user are being deleted" "Wait; see their conditions if it takes long.";
    GracePeriod No "The user is disarmed and is deleted when its grace period is over" "Wait, or apply the RamUser again to have the user back.";
    AwaitingReplacement No "The key is disabled; the RamAccessKey that publishes it gets a new pair first" "Wait; see the conditions of the RamAccessKey if it takes long.";
    Revoked Yes "What was ordered is taken away" "Nothing to do.";
    RevokeRefused Stalled "The key is not of a user that this installation made" "Disable it in RAM by hand; it is not touched.";
    KeyNotFound Stalled "The account has no such AccessKey" "Correct accessKeyId in a new object.";
    AwaitingWindow No "A mint without an answer may still make a key" "Wait; RAM refuses that request from the time on that the status shows.";

    UserNotFound No "The RamUser does not exist in this namespace" "Create it; the published pair is dead once its user is deleted, and is replaced then.";
    UserNotReady No "The RamUser is not ready" "See its conditions.";
    UserDeleted No "The RamUser is being deleted, and this key with it" "Delete this object too, or create the RamUser again.";
    UserSuspended No "The RamUser is suspended, and its keys are disabled" "Set spec.state of the RamUser to Active to use them again.";
    Suspended No "The user's keys are disabled, as spec.state asks" "Set spec.state to Active to use them again.";
    NoSlotForRotation Stalled "A RAM user has two AccessKeys, and rotation needs both" "Give each workload a RamUser of its own, or leave rotation.interval out of all RamAccessKeys of this user.";
    SourcesRequired No "The tenant asks for allowedSources" "Add spec.allowedSources, or ask for accessKeys.allowedSources: Optional in the RamTenant.";
    SourcesPending No "RAM does not show the allowed sources of the key yet" "Wait; RAM applies them within minutes.";
    UserNotOwned Stalled "The RAM user is not ours, so no key is made on it" "See the conditions of the RamUser.";
    UserNotManaged No "The RamUser only observes or plans, so that nothing is granted to its keys" "Set spec.management of the RamUser to Manage.";
    SecretConflict Stalled "A Secret of this name exists and was not made here" "Delete or rename that Secret, or choose another secret.name in a new object; it is not touched.";
    SecretRefused No "The cluster refuses the Secret" "Mend what the detail names.";
    PairNotFound No "The pair to adopt is not there" "Create what the detail names, or remove secret.adoptFrom to have a new key made.";
    PairInvalid Stalled "What is to be adopted is no AccessKey pair" "Correct the Secret or the names in secret.adoptFrom, or remove secret.adoptFrom to have a new key made.";
    PairRefused Stalled "The pair to adopt is not proved" "Put a working pair of the RamUser's user into the Secret, or remove secret.adoptFrom to have a new key made.";
    PairOfAnotherAccount Stalled "The pair to adopt belongs to another Alibaba Cloud account" "Put a pair of the RamUser's user into the Secret, or remove secret.adoptFrom to have a new key made.";
    PairOfAnotherUser Stalled "The pair to adopt does not belong to the RamUser's user" "Name the RamUser that has that user in a new object, or put a pair of this one's user into the Secret; the key is not touched.";
    PairDisabled Stalled "The key to adopt is disabled in RAM" "Enable it in RAM, or remove secret.adoptFrom to have a new key made; it is not enabled by itself.";
    PairHeld Stalled "Another object has the key that is to be adopted" "Let that one go first, with the deletionPolicy Retain if it is a RamAccessKey, or remove secret.adoptFrom to have a new key made.";
    SecretNotAdoptable Stalled "The Secret that is to be adopted with its pair belongs to another object, or is immutable" "Name a copy of it in secret.adoptFrom, and choose another secret.name in a new object; it is not touched.";
    NoFreeSlot No "The RAM user has two AccessKeys already, which is RAM's limit, and none may be removed now" "Wait until one of ours is out of use, revoke it by the annotation ram-operator.dev/revoke, or remove a foreign one in RAM.";
    IntentsFull No "Too many mints without an answer are open" "Wait; they close by themselves within half an hour.";
    TooOld No "The pair is older than the tenant's accessKeys.maxAge and cannot be replaced now" "See the condition RotationBlocked.";
    PrincipalNameUnknown No "The Secret asks for $(userPrincipalName), which could not be read" "Allow the operator ram:GetDefaultDomain.";
    Inactive No "The keys are disabled, as spec.state asks" "Set spec.state to Active to use them again.";
    DisabledOutside Stalled "The key was disabled in RAM by somebody else" "Enable it in RAM or by the annotation ram-operator.dev/restore, or ask for a new pair by ram-operator.dev/rotate; it is not enabled by itself.";
    Unproven No "The published pair has not been accepted by RAM yet" "Wait; if this stays, see whether the key still exists in RAM.";
    KeyMissing No "The published key is not in RAM's list" "Wait; it is replaced once a second look agrees.";

    Throttled No "RAM limits the rate of calls" "Wait; lower quotaShare if other tools suffer.";
    RamUnavailable No "RAM does not answer" "Wait; see the network, the endpoints and the status of Alibaba Cloud if it takes long.";
    AccessDenied No "RAM refuses the operator a right" "Grant it; ram-operator policy prints what the operator needs.";
    ClockSkew No "The operator's clock and RAM's differ by more than 15 minutes" "Set the node's clock.";
    RequestRefused Stalled "RAM refuses the request" "Correct what the detail names.";
    ClusterDenied No "The cluster refuses the operator a right" "Grant it; the chart's ClusterRole has what the operator needs.";
    ClusterUnavailable No "The cluster's API does not answer" "Wait.";
    Unsettled Unknown "RAM does not show yet what was just written" "Wait.";
    InternalError No "A fault of the operator" "Please report it with the operator's log.";
}
