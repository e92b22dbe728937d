use super::*;

#[test]
fn a_failure_is_retried_after_a_second_then_twice_as_long_up_to_a_minute() {
    let seconds = |failures| PACE.wait(failures).as_secs();
    assert_eq!(seconds(0), 30);
    assert_eq!(
        (1..=9).map(seconds).collect::<Vec<_>>(),
        [1, 2, 4, 8, 16, 32, 60, 60, 60]
    );
    assert_eq!(seconds(33), 60);
    assert_eq!(seconds(u32::MAX), 60);
}

#[test]
fn jitter_is_a_tenth_in_both_directions() {
    let second = Duration::from_secs(1);
    let waits: Vec<Duration> = (0..=u16::MAX).map(|it| jittered(second, it)).collect();
    assert_eq!(waits.iter().min(), Some(&Duration::from_millis(900)));
    assert_eq!(waits.iter().max(), Some(&Duration::from_millis(1100)));
    assert_eq!(
        jittered(Duration::MAX, u16::MAX),
        Duration::MAX / 1000,
        "no overflow"
    );
}

#[cfg(feature = "emulator")]
mod polling {
    use std::time::Instant;

    use serde_json::json;
    use tokio::runtime;

    use super::*;
    use crate::emulator::{Emulator, EmulatorFlag, Endpoint, Fault};

    struct Bed {
        emulator: Emulator,
        background: Arc<Background>,
        flags: FeatureFlags,
    }

    impl Bed {
        /// A client that has not started, of an emulator whose flag `beta` is on for Ada.
        fn new(bootstrap: Option<Vec<FeatureFlag>>) -> Self {
            let emulator = Emulator::builder()
                .feature_flag(EmulatorFlag::new("beta").enabled(true).user(ADA, true))
                .allow_in_release()
                .quiet()
                .start()
                .expect("an emulator");
            let background = Arc::new(Background::start("test").expect("a thread"));
            let workos = WorkOs::new(
                emulator.client_id().to_owned(),
                emulator.api_key().into(),
                emulator.api_url().to_owned(),
                true,
                background.clone(),
            )
            .expect("a gateway");
            let flags = FeatureFlags::paced(Arc::new(workos), background.clone(), bootstrap, QUICK);
            Self {
                emulator,
                background,
                flags,
            }
        }

        async fn ready(bootstrap: Option<Vec<FeatureFlag>>) -> Self {
            let bed = Self::new(bootstrap);
            bed.flags.start();
            bed.flags.wait_until_ready(LONG).await.expect("flags");
            bed
        }

        fn calls(&self) -> usize {
            self.emulator.calls(Endpoint::FeatureFlags)
        }

        async fn more_calls(&self, more: usize) {
            let target = self.calls() + more;
            time::timeout(LONG, async {
                while self.calls() < target {
                    time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await
            .expect("polls");
        }
    }

    impl Drop for Bed {
        fn drop(&mut self) {
            self.flags.close();
            self.background.finish();
        }
    }

    fn ada() -> EvaluationContext<'static> {
        EvaluationContext::new().user_id(ADA)
    }

    async fn next(changes: &mut FeatureFlagChanges) -> Option<Vec<FeatureFlagChange>> {
        time::timeout(LONG, changes.changed())
            .await
            .expect("a change or the end")
    }

    #[tokio::test]
    async fn nothing_is_asked_before_the_start_and_one_start_is_enough() {
        let bed = Bed::new(None);
        assert!(!bed.flags.is_enabled("beta", ada()));
        assert_eq!(
            bed.flags.wait_until_ready(Duration::from_millis(30)).await,
            Err(FeatureFlagsError::Timeout)
        );
        assert_eq!(bed.calls(), 0);
        bed.emulator.fault(
            Endpoint::FeatureFlags,
            Fault::Delay(Duration::from_millis(100)),
        );
        for _ in 0..8 {
            bed.flags.clone().start();
        }
        bed.flags.wait_until_ready(LONG).await.expect("flags");
        assert!(bed.flags.is_enabled("beta", ada()));
        assert_eq!(bed.calls(), 1);
    }

    #[tokio::test]
    async fn changes_arrive_by_themselves_and_say_what_was_and_what_is() {
        let bed = Bed::ready(None).await;
        assert!(!bed.flags.is_enabled("beta", EvaluationContext::new()));
        let mut changes = bed.flags.changes();

        bed.emulator
            .set_feature_flag(EmulatorFlag::new("beta").enabled(true).default_value(true));
        let changed = next(&mut changes).await.expect("a change");
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].slug, "beta");
        let before = FeatureFlag::new("beta").enabled(true);
        assert_eq!(
            changed[0].previous.as_deref(),
            Some(&before.clone().user(ADA, true))
        );
        assert_eq!(
            changed[0].current.as_deref(),
            Some(&before.default_value(true))
        );
        assert!(bed.flags.is_enabled("beta", EvaluationContext::new()));

        bed.emulator.set_feature_flag(EmulatorFlag::new("new"));
        let changed = next(&mut changes).await.expect("a change");
        assert_eq!((changed[0].slug.as_str(), changed.len()), ("new", 1));
        assert_eq!(changed[0].previous, None);

        assert!(bed.emulator.remove_feature_flag("beta"));
        let changed = next(&mut changes).await.expect("a change");
        assert_eq!((changed[0].slug.as_str(), changed.len()), ("beta", 1));
        assert_eq!(changed[0].current, None);
        assert!(!bed.flags.is_enabled("beta", ada()));
        assert_eq!(bed.flags.all_flags(ada()), [("new".into(), false)].into());
    }

    #[tokio::test]
    async fn who_asks_late_for_changes_is_told_the_outcome_once() {
        let bed = Bed::ready(None).await;
        let mut changes = bed.flags.changes();
        for default_value in [true, false, true] {
            let beta = EmulatorFlag::new("beta").enabled(true);
            bed.emulator
                .set_feature_flag(beta.default_value(default_value));
            bed.more_calls(2).await;
        }
        let changed = next(&mut changes).await.expect("a change");
        let current = changed[0].current.as_deref();
        assert_eq!(
            current,
            Some(&FeatureFlag::new("beta").enabled(true).default_value(true))
        );
        let nothing = time::timeout(Duration::from_millis(60), changes.changed()).await;
        assert!(nothing.is_err(), "{nothing:?}");
    }

    #[tokio::test]
    async fn flags_stay_whatever_comes_instead_of_an_answer() {
        let bed = Bed::ready(None).await;
        let mut changes = bed.flags.changes();
        let faults = [
            Fault::Status(500),
            Fault::Status(429),
            Fault::Status(403),
            Fault::Status(404),
            Fault::Redirect("/elsewhere".into()),
            Fault::Reset,
            Fault::Truncate,
            Fault::Empty,
            Fault::Oversize(20 << 20),
            Fault::GzipBomb,
            Fault::json(200, json!({"message": "maintenance"})),
            Fault::json(200, json!([])),
        ];
        let count = faults.len();
        for fault in faults {
            bed.emulator.fault(Endpoint::FeatureFlags, fault.times(1));
        }
        bed.more_calls(count).await;
        assert!(bed.flags.is_enabled("beta", ada()));

        bed.emulator.set_feature_flag(EmulatorFlag::new("new"));
        let changed = next(&mut changes).await.expect("a change");
        assert_eq!((changed[0].slug.as_str(), changed.len()), ("new", 1));
        assert!(bed.flags.is_enabled("beta", ada()));
    }

    #[tokio::test]
    async fn a_retry_waits_as_long_as_workos_asks() {
        let bed = Bed::ready(None).await;
        let busy = Fault::StatusWithRetryAfter(429, "5".to_owned());
        bed.emulator.fault(Endpoint::FeatureFlags, busy);
        bed.more_calls(1).await;
        let calls = bed.calls();
        time::sleep(Duration::from_millis(200)).await;
        assert!(
            bed.calls() <= calls + 1,
            "the first may have been under way"
        );
    }

    #[tokio::test]
    async fn a_refused_api_key_ends_the_polling_for_good() {
        let bed = Bed::new(None);
        bed.emulator
            .fault(Endpoint::FeatureFlags, Fault::Status(401).times(1));
        let mut changes = bed.flags.changes();
        bed.flags.start();
        assert_eq!(
            bed.flags.wait_until_ready(LONG).await,
            Err(FeatureFlagsError::Unauthorized)
        );
        assert_eq!(next(&mut changes).await, None);
        time::sleep(Duration::from_millis(100)).await;
        bed.flags.start();
        bed.flags.close();
        assert_eq!(bed.calls(), 1);
        assert_eq!(
            bed.flags.wait_until_ready(LONG).await,
            Err(FeatureFlagsError::Unauthorized),
            "the first reason stays"
        );
    }

    #[tokio::test]
    async fn bootstrap_flags_hold_until_the_first_answer() {
        let bootstrap = ["alpha", "beta"].map(|slug| FeatureFlag::new(slug).enabled(true));
        let bed = Bed::new(Some(
            bootstrap.map(|flag| flag.default_value(true)).to_vec(),
        ));
        bed.emulator
            .fault(Endpoint::FeatureFlags, Fault::Status(503).times(2));
        bed.flags.start();
        let mut changes = bed.flags.changes();
        assert_eq!(bed.flags.wait_until_ready(Duration::ZERO).await, Ok(()));
        let nobody = EvaluationContext::new();
        assert!(bed.flags.is_enabled("alpha", nobody));
        bed.more_calls(1).await;
        assert!(bed.flags.is_enabled("beta", nobody));

        let changed = next(&mut changes).await.expect("a change");
        assert_eq!(changed.len(), 2);
        assert_eq!(bed.flags.flag("alpha"), None);
        assert!(!bed.flags.is_enabled("beta", nobody));
        assert!(bed.flags.is_enabled("beta", ada()));
    }

    #[tokio::test]
    async fn a_closed_client_keeps_its_flags_and_asks_no_more() {
        let bed = Bed::ready(None).await;
        let mut changes = bed.flags.changes();
        bed.flags.close();
        assert_eq!(next(&mut changes).await, None);
        time::sleep(Duration::from_millis(30)).await;
        let calls = bed.calls();
        time::sleep(Duration::from_millis(100)).await;
        assert_eq!(bed.calls(), calls);
        assert!(bed.flags.is_enabled("beta", ada()));
        assert_eq!(bed.flags.wait_until_ready(LONG).await, Ok(()));
    }

    #[tokio::test]
    async fn who_waits_learns_at_once_that_the_client_is_closed() {
        let bed = Bed::new(None);
        let flags = bed.flags.clone();
        let waiting = tokio::spawn(async move { flags.wait_until_ready(LONG).await });
        time::sleep(Duration::from_millis(20)).await;
        let started = Instant::now();
        drop(bed);
        assert_eq!(
            waiting.await.expect("no panic"),
            Err(FeatureFlagsError::Closed)
        );
        let seconds = started.elapsed().as_secs();
        assert!(seconds < 5, "the thread waits for no poller");
    }

    #[test]
    fn waiting_needs_no_timer_of_the_runtime() {
        let bed = Bed::new(None);
        bed.flags.start();
        let runtime = runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        assert_eq!(runtime.block_on(bed.flags.wait_until_ready(LONG)), Ok(()));
    }

    const ADA: &str = "user_ada";
    const LONG: Duration = Duration::from_secs(20);
    const QUICK: Pace = Pace {
        interval: Duration::from_millis(10),
        first_retry: Duration::from_millis(5),
        longest_retry: Duration::from_millis(20),
    };
}
