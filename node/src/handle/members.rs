//! What is asked about members.

use kith_api::ApiError;
use kith_api::channel::MemberInfo;
use kith_api::member::{MemberAct as Asked, MemberOutcome, MemberRequest};
use kith_crdt::control::Role;
use kith_crdt::time::Millis;

use super::{Node, repeated_elsewhere};
use crate::clock;
use crate::engine::{Command, MemberAct, Outcome};
use crate::read::roles;

impl Node {
    /// Everyone who is or was a member.
    ///
    /// # Errors
    /// [`ApiError`] if the reference means no channel or several.
    pub async fn members(&self, reference: &str) -> Result<Vec<MemberInfo>, ApiError> {
        let reading = self.reading();
        Ok(reading.members(&*reading.find_channel(reference)?))
    }

    /// Does something about an account, or says what would become of it.
    ///
    /// # Errors
    /// [`ApiError`] if nobody is meant, or a rule of the channel forbids it.
    pub async fn act_on_member(
        &self,
        channel: &str,
        account: &str,
        request: MemberRequest,
    ) -> Result<MemberOutcome, ApiError> {
        let reading = self.reading();
        let view = reading.find_channel(channel)?;
        let (account, name) = reading.find_account(&view, account)?;
        drop(reading);
        let now = clock::now();
        let command = Command::Member {
            channel: view.id,
            account,
            act: meant(request.act, now),
            dry_run: request.dry_run,
        };
        let Outcome::Stands(stands) = self.command(command, None).await? else {
            return Err(repeated_elsewhere());
        };
        Ok(MemberOutcome {
            account: account.into(),
            name,
            role: roles::shown(Role::from_u8(stands.role).unwrap_or(Role::Reader)),
            status: roles::status(stands.state),
            until: stands.until.map(Into::into),
            dry_run: request.dry_run,
        })
    }
}

fn meant(asked: Asked, now: Millis) -> MemberAct {
    match asked {
        Asked::Add { role } => MemberAct::Add(role.map_or(Role::Member, roles::meant)),
        Asked::Remove => MemberAct::Remove,
        Asked::Ban { for_ms } => MemberAct::Ban(for_ms.map(|ms| now.plus(ms))),
        Asked::Unban => MemberAct::Unban,
        Asked::Mute { for_ms } => MemberAct::Mute(now.plus(for_ms)),
        Asked::Role { role } => MemberAct::SetRole(roles::meant(role)),
    }
}
