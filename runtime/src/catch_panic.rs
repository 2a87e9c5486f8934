//! Contains a panic within its request.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use super::Rejection;

/// Returns the result of `work`, or [`Rejection::Internal`] after a panic. Otherwise actix-web
/// would close the connection without a response.
pub(crate) async fn catch_panic<T>(
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Rejection> {
    poll_fn(|context| {
        // Unwind-safe, because a future that panicked is never polled again.
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        match polled {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Rejection::Internal(
                "the operation panicked".to_owned(),
            ))),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[actix_web::test]
    async fn a_panic_is_a_rejection_and_a_result_is_itself() {
        assert_eq!(catch_panic(pin!(async { 1 })).await, Ok(1));
        let panicked = catch_panic(pin!(async { panic!("on purpose") })).await;
        assert!(matches!(panicked, Err::<(), _>(Rejection::Internal(_))));
    }
}
