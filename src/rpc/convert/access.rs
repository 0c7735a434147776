use std::time::Duration;

use crate::domain::{ApiToken, Role, Violations};
use crate::engine::{NewToken, Page};
use crate::rpc::proto;

use super::fields::Fields;
use super::time::{span, timestamp};

/// The shortest life of a token.
const MIN_LIFE: Duration = Duration::from_secs(60);
/// The longest.
const MAX_LIFE: Duration = Duration::from_secs(10 * 366 * 86_400);

/// The token that a CreateToken request describes.
pub(in crate::rpc) fn new_token(request: proto::CreateTokenRequest) -> Result<NewToken, Violations> {
    let mut fields = Fields::default();
    if let Err(problem) = ApiToken::check_name(&request.name) {
        fields.bad("name", problem);
    }
    let role = fields.choice("role", request.role, role, "ROLE_HEAD_OFFICE_VIEWER or ROLE_HEAD_OFFICE_ADMIN");
    let life = request.life.and_then(|life| {
        let life = span(life).filter(|life| (MIN_LIFE..=MAX_LIFE).contains(life));
        if life.is_none() {
            fields.bad("life", "has to be from one minute to ten years; leave it out for a token without an end");
        }
        life
    });
    fields.finish(role.map(|role| NewToken { name: request.name, role, life }))
}

/// Which page of the tokens a request asks for.
pub(in crate::rpc) fn token_list(request: proto::ListTokensRequest) -> Result<Page, Violations> {
    let mut fields = Fields::default();
    let page = fields.page(request.page_size, request.page_token);
    fields.finish(Some(page))
}

/// Which token a request means.
pub(in crate::rpc) fn token_ref(request: proto::RevokeTokenRequest) -> Result<String, Violations> {
    let mut fields = Fields::default();
    if let Err(problem) = ApiToken::check_name(&request.token) {
        fields.bad("token", format!("{problem}, or be an id; the text of a token is not needed"));
    }
    fields.finish(Some(request.token))
}

/// A token as the contract shows it.
pub(in crate::rpc) fn token_to_proto(token: ApiToken) -> proto::ApiToken {
    proto::ApiToken {
        id: token.id,
        name: token.name,
        role: role_to_proto(token.role).into(),
        created_by: token.created_by,
        create_time: Some(timestamp(token.create_time)),
        expire_time: token.expire_time.map(timestamp),
        last_used_time: token.last_used_time.map(timestamp),
        revoke_time: token.revoke_time.map(timestamp),
    }
}

fn role(number: i32) -> Option<Role> {
    match proto::Role::try_from(number).ok()? {
        proto::Role::Unspecified => None,
        proto::Role::HeadOfficeViewer => Some(Role::Viewer),
        proto::Role::HeadOfficeAdmin => Some(Role::Admin),
    }
}

fn role_to_proto(role: Role) -> proto::Role {
    match role {
        Role::Viewer => proto::Role::HeadOfficeViewer,
        Role::Admin => proto::Role::HeadOfficeAdmin,
    }
}
