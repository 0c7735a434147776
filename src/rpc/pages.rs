//! Pages that fit into a message.

use prost::Message;
use tonic::Status;
use uuid::Uuid;

use crate::engine::Page;

use super::status::internal;

/// The largest message that clients accept unless they were told otherwise, in bytes.
const USUAL: usize = 4 * 1024 * 1024;

/// How large a page may become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    most: usize,
}

impl Sizes {
    /// Pages that fit into `message` bytes, and into what clients usually accept.
    pub(super) fn new(message: usize) -> Self {
        Self { most: message.min(USUAL) }
    }
}

impl Sizes {
    /// Whether `answer` fits into a message; if it does not, `page` is halved for another try. Branches may carry many
    /// labels and long errors, and an answer that is too large would be lost whole.
    pub(super) fn fits(self, answer: &impl Message, page: &mut Page) -> Result<bool, Status> {
        let size = answer.encoded_len();
        if size <= self.most {
            return Ok(true);
        }
        if page.size <= 1 {
            let id = Uuid::now_v7();
            tracing::error!(%id, size, most = self.most, "a single item does not fit into a message");
            return Err(internal(id));
        }
        page.size /= 2;
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto;

    fn list(size: u32, bytes_each: usize) -> Result<usize, Status> {
        let mut page = Page { size, token: String::new() };
        loop {
            let branch = proto::Branch { name: "n".repeat(bytes_each), ..Default::default() };
            let branches = vec![branch; page.size as usize];
            let answer = proto::ListBranchesResponse { branches, next_page_token: String::new() };
            if Sizes::new(10_000).fits(&answer, &mut page)? {
                return Ok(answer.branches.len());
            }
        }
    }

    #[test]
    fn a_page_shrinks_until_it_fits() {
        assert_eq!(list(100, 50).unwrap(), 100);
        assert_eq!(list(1000, 500).unwrap(), 15);
        assert_eq!(list(1, 9_000).unwrap(), 1);
        assert_eq!(list(1, 20_000).unwrap_err().code(), tonic::Code::Internal);
    }
}
