//! Conformance of every provider: what holds on one holds on all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

pub(crate) mod fixture;

/// Every test function named here runs on MariaDB and on MySQL.
macro_rules! on_mysql {
    ($($name:ident),* $(,)?) => {
        mod mariadb {
            $(#[tokio::test]
            async fn $name() {
                let Some(fixture) = crate::provider::fixture::Fixture::mariadb().await else { return };
                super::$name(fixture).await;
            })*
        }
        mod mysql {
            $(#[tokio::test]
            async fn $name() {
                let Some(fixture) = crate::provider::fixture::Fixture::mysql().await else { return };
                super::$name(fixture).await;
            })*
        }
    };
}

/// Every test function named here runs on SQL Server.
macro_rules! on_sqlserver {
    ($($name:ident),* $(,)?) => {
        mod sqlserver {
            $(#[tokio::test]
            async fn $name() {
                let Some(fixture) = crate::provider::fixture::Fixture::sqlserver().await else { return };
                super::$name(fixture).await;
            })*
        }
    };
}

/// Every test function named here runs on every provider, each time on a database of its own.
macro_rules! on_every_provider {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::provider::fixture::Fixture::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::provider::fixture::Fixture::postgres().await).await;
            })*
        }
        on_mysql!($($name),*);
        on_sqlserver!($($name),*);
    };
}

mod connecting;
mod copies;
mod encryption;
mod ended;
mod locking;
mod mysql_connecting;
mod mysql_only;
mod network;
mod pooler;
mod postgres_only;
mod rehearsing;
mod running;
mod segments;
mod silence;
mod spares;
mod sqlite_only;
mod sqlite_rebuild;
mod sqlite_rows;
mod sqlserver_only;
mod stopping;
mod tds;
mod undo;
