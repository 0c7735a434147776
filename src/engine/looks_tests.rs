use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::*;

/// Something to look at, whose looks end when they are told to.
#[derive(Default)]
struct Scene {
    begun: AtomicUsize,
    end: Notify,
}

impl Scene {
    /// A look that gives how many had begun, itself included.
    fn look(self: &Arc<Self>) -> impl Future<Output = usize> + Send + 'static {
        let scene = Arc::clone(self);
        async move {
            let number = scene.begun.fetch_add(1, Ordering::SeqCst) + 1;
            scene.end.notified().await;
            number
        }
    }

    async fn until_begun(&self, number: usize) {
        while self.begun.load(Ordering::SeqCst) < number {
            tokio::task::yield_now().await;
        }
    }
}

fn open<T>(looks: &Looks<T>) -> usize {
    lock(&looks.0).looks.len()
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_never_older_than_its_question() {
    let (looks, scene) = (Arc::new(Looks::default()), Arc::new(Scene::default()));
    let ask = || {
        let (looks, scene) = (Arc::clone(&looks), Arc::clone(&scene));
        tokio::spawn(async move { looks.join("BR001".into(), scene.look()).await })
    };
    let first = ask();
    scene.until_begun(1).await;
    let later: Vec<_> = (0..50).map(|_| ask()).collect();
    tokio::task::yield_now().await;
    scene.end.notify_one();
    assert_eq!(first.await.unwrap(), 1);
    scene.until_begun(2).await;
    let last = ask();
    tokio::task::yield_now().await;
    scene.end.notify_one();
    for caller in later {
        assert_eq!(caller.await.unwrap(), 2, "those who came while the first was under way share the second");
    }
    scene.until_begun(3).await;
    scene.end.notify_one();
    assert_eq!(last.await.unwrap(), 3);
    assert_eq!(open(&looks), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_look_holds_nobody_up_for_long() {
    let (looks, scene) = (Looks::default(), Arc::new(Scene::default()));
    let stuck = looks.place("BR001".into(), scene.look());
    let stuck = tokio::spawn(stuck);
    scene.until_begun(1).await;
    let begun = Instant::now();
    assert_eq!(looks.join("BR001".into(), async { 7 }).await, 7);
    assert_eq!(begun.elapsed(), PATIENCE);
    scene.end.notify_one();
    assert_eq!(stuck.await.unwrap(), 1);
    assert_eq!(open(&looks), 0);
}

#[tokio::test]
async fn what_nobody_waits_for_ends() {
    let (looks, scene) = (Looks::default(), Arc::new(Scene::default()));
    let left = looks.place("BR001".into(), scene.look());
    assert!(tokio::time::timeout(Duration::from_millis(10), left).await.is_err());
    assert_eq!((scene.begun.load(Ordering::SeqCst), open(&looks)), (1, 0));
    assert_eq!(looks.join("BR001".into(), async { 7 }).await, 7, "it stands in nobody's way");
}

#[tokio::test]
async fn one_who_goes_takes_nobody_along() {
    let (looks, scene) = (Looks::default(), Arc::new(Scene::default()));
    let one = looks.place("BR001".into(), scene.look());
    let other = looks.place("BR001".into(), scene.look());
    let elsewhere = looks.place("BR002".into(), async { 9 });
    assert!(tokio::time::timeout(Duration::from_millis(10), one).await.is_err());
    scene.end.notify_one();
    assert_eq!((other.await, elsewhere.await), (1, 9));
    assert_eq!(open(&looks), 0);
}
