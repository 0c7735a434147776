use super::error::is_unique_violation;
use super::filter::Query;
use super::value::{Row, args};
use super::{HeadOffice, Page, Paged, StoreError};
use crate::domain::{ApiToken, Checksum, Role, Time};

const TOKEN: &str = "id, name, role, created_by, create_time, expire_time, last_used_time, revoke_time";

fn token(row: &Row) -> Result<ApiToken, StoreError> {
    let row = row.of("api_tokens", "id");
    Ok(ApiToken {
        id: row.text("id")?,
        name: row.text("name")?,
        role: row.name("role", Role::from_name)?,
        created_by: row.text("created_by")?,
        create_time: row.time("create_time")?,
        expire_time: row.opt_time("expire_time")?,
        last_used_time: row.opt_time("last_used_time")?,
        revoke_time: row.opt_time("revoke_time")?,
    })
}

impl HeadOffice {
    /// Keeps an API token by the SHA-256 of its text.
    ///
    /// # Errors
    /// [`StoreError::TokenNameTaken`].
    pub async fn create_token(&self, new: &ApiToken, hash: &Checksum) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let insert = "INSERT INTO api_tokens (id, name, active_name, hash, role, created_by, create_time, expire_time) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let values = args![
            new.id.as_str(),
            new.name.as_str(),
            new.name.to_ascii_lowercase(),
            hash.as_str(),
            new.role.as_str(),
            new.created_by.as_str(),
            new.create_time,
            new.expire_time,
        ];
        match tx.try_run(insert, values).await {
            Ok(_) => tx.commit().await,
            Err(error) if is_unique_violation(&error) => Err(StoreError::TokenNameTaken(new.name.clone())),
            Err(error) => Err(error.into()),
        }
    }

    /// The token whose text has this SHA-256, valid or not; `None` when there is none.
    pub async fn token_by_hash(&self, hash: &Checksum) -> Result<Option<ApiToken>, StoreError> {
        let sql = format!("SELECT {TOKEN} FROM api_tokens WHERE hash = $1");
        self.db().row(&sql, args![hash.as_str()]).await?.as_ref().map(token).transpose()
    }

    /// A part of the list of tokens, revoked ones included, the newest first.
    ///
    /// # Errors
    /// [`StoreError::BadPageToken`].
    pub async fn tokens(&self, page: &Page) -> Result<Paged<ApiToken>, StoreError> {
        let mut query = Query::new(format!("SELECT {TOKEN} FROM api_tokens WHERE 1 = 1"), args![]);
        query.page_by_time("create_time", page, "tokens")?;
        let rows = self.db().rows(&query.sql, query.args).await?;
        let items = rows.iter().map(token).collect::<Result<_, _>>()?;
        Ok(Paged::cut(items, page, "tokens", |token: &ApiToken| super::page::time_key(token.create_time, &token.id)))
    }

    /// Revokes the token of this id or, if it has not been revoked yet, of this name. One that was revoked stays as it
    /// was. `None` when there is no such token.
    pub async fn revoke_token(&self, which: &str) -> Result<Option<ApiToken>, StoreError> {
        let mut tx = self.db().begin().await?;
        let now = self.now();
        let update = "UPDATE api_tokens SET revoke_time = $1, active_name = NULL \
                      WHERE (id = $2 OR active_name = $3) AND revoke_time IS NULL";
        tx.run(update, args![now, which, which.to_ascii_lowercase()]).await?;
        // By name it cannot be found any more, except as the one revoked last.
        let sql = format!(
            "SELECT {TOKEN} FROM api_tokens WHERE (id = $1 OR LOWER(name) = $2) AND revoke_time IS NOT NULL \
             ORDER BY revoke_time DESC LIMIT 1"
        );
        let row = tx.row(&sql, args![which, which.to_ascii_lowercase()]).await?;
        let found = row.as_ref().map(token).transpose()?;
        tx.commit().await?;
        Ok(found)
    }

    /// Notes that a token was used, unless a use since `stale` is noted already.
    pub async fn touch_token(&self, id: &str, used: Time, stale: Time) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let update = "UPDATE api_tokens SET last_used_time = $2 \
                      WHERE id = $1 AND (last_used_time IS NULL OR last_used_time < $3)";
        tx.run(update, args![id, used, stale]).await?;
        tx.commit().await
    }
}
