/// A fault, and the tests that show what the product does then.
pub(crate) struct Row {
    pub(crate) section: &'static str,
    pub(crate) fault: String,
    /// Their full names.
    pub(crate) tests: Vec<String>,
}

type Faults = &'static [(&'static str, &'static [&'static str])];

/// Sections and their rows. A test belongs to one row.
///
/// Rows that need a real browser, or several processes of an application, are test programs of their
/// own: `browser` and `machines`.
pub(crate) const TABLE: &[(&str, Faults)] = &[
    ("Signing in", SIGNING_IN),
    ("Cookies and seals", COOKIES_AND_SEALS),
    ("Tokens and keys", TOKENS_AND_KEYS),
    ("Refreshing", REFRESHING),
    ("Redirects, hosts, paths", REDIRECTS_HOSTS_PATHS),
    (
        "Browser endpoints, API keys, webhooks, caches, logs",
        ENDPOINTS_CACHES_LOGS,
    ),
    ("Redis", REDIS),
    ("Every fault of every call", EVERY_FAULT),
    ("At random", AT_RANDOM),
];

const SIGNING_IN: Faults = &[
    (
        "callback without code or state, doubled, over-long, with NUL, broken encoding or no UTF-8",
        &[
            "callback::a_callback_that_is_not_in_order_is_refused_without_a_call",
            "callback::a_code_with_broken_percent_encoding_is_refused_without_a_call",
        ],
    ),
    (
        "callback with an error and a description to be echoed",
        &["callback::a_cancelled_sign_in_is_told_in_our_own_words"],
    ),
    (
        "a valid callback in another browser",
        &["callback::another_browser_can_do_nothing_with_a_callback"],
    ),
    (
        "a state altered, cut, in other case, encoded twice",
        &["callback::an_altered_state_is_refused_without_a_call"],
    ),
    (
        "two verifier cookies of one name",
        &["callback::two_verifier_cookies_of_one_name_are_refused"],
    ),
    (
        "a matching cookie with a state older than ten minutes",
        &[
            "callback::ten_minutes_are_enough_and_a_second_more_starts_again_once",
            "callback::a_restart_asks_for_the_same_again",
        ],
    ),
    (
        "a callback replayed, or sent twenty times at once",
        &[
            "callback::a_browser_that_leaves_and_comes_back_gets_the_session_of_its_one_exchange",
            "callback::a_replay_while_nothing_is_known_signs_nobody_out",
            "callback::the_back_button_leads_on_with_a_session_and_nowhere_without",
            "callback::twenty_callbacks_at_once_make_one_exchange_and_all_are_signed_in",
            "callback::who_still_holds_the_cookie_gets_the_answer_of_the_first",
        ],
    ),
    (
        "an exchange refused, failing, hanging, dripping, HTML, cut, too large, of wrong types",
        &[
            "callback::a_failed_sign_in_leaves_an_older_session_alone",
            "callback::a_key_fetch_that_hangs_is_within_the_same_ten_seconds",
            "callback::an_exchange_that_goes_wrong_ends_without_a_session",
            "callback::an_exchange_that_hangs_or_drips_ends_within_ten_seconds_and_others_go_on",
        ],
    ),
    (
        "an exchange with tokens of an unknown key, of another user, or without a refresh token",
        &[
            "callback::the_key_set_out_of_reach_signs_nobody_in",
            "callback::tokens_that_are_not_this_users_and_clients_are_refused",
        ],
    ),
    (
        "an exchange that asks for the choice of an organization, or for another step",
        &[
            "callback::a_step_that_authkit_demands_is_told_and_signs_nobody_in",
            "callback_options::a_choice_is_open_for_ten_minutes",
            "callback_options::a_choice_that_another_site_sends_is_refused_and_costs_nothing",
            "callback_options::a_choice_that_goes_wrong_signs_nobody_in",
            "callback_options::a_choice_that_is_sent_twice_is_made_once",
            "callback_options::an_organization_that_was_not_offered_is_refused",
            "callback_options::the_choice_is_nobodys_without_its_cookie",
            "callback_options::the_pending_sign_in_is_sealed_for_ten_minutes_and_for_nothing_else",
            "callback_options::who_belongs_to_several_organizations_chooses_one_and_is_signed_in_to_it",
        ],
    ),
    (
        "fifty sign-ins started in one browser",
        &[
            "signing_in::fifty_sign_ins_leave_few_pending_and_the_newest_works",
            "signing_in::five_short_sign_ins_may_be_pending",
            "signing_in::tabs_do_not_disturb_each_other",
        ],
    ),
    (
        "a protected address of 1 to 16 kB",
        &[
            "signing_in::an_address_of_any_length_is_protected_and_returned_to_when_it_fits",
            "signing_in::options_that_grow_when_they_are_sealed_never_break_a_sign_in",
            "signing_in::over_long_options_never_break_a_sign_in",
        ],
    ),
    (
        "prefetch, fetch, HEAD, WebSocket upgrade, CORS preflight to a protected route",
        &[
            "asking_for_a_user::a_cors_preflight_passes_to_the_layer_that_answers_it",
            "asking_for_a_user::a_mark_counts_whatever_bytes_follow_it",
            "asking_for_a_user::a_preflight_that_no_layer_answers_serves_nobody_a_protected_page",
            "asking_for_a_user::an_api_call_is_told_401_and_starts_nothing",
            "asking_for_a_user::head_is_told_401_whoever_asks",
            "asking_for_a_user::options_is_never_redirected",
            "signing_in::a_prefetched_link_starts_no_sign_in",
            "signing_in::only_the_way_to_authkit_sets_a_verifier_cookie",
        ],
    ),
    (
        "signing in over an older or planted session",
        &["callback::a_new_session_replaces_an_older_or_planted_one_entirely"],
    ),
];

const COOKIES_AND_SEALS: Faults = &[
    (
        "every flipped bit, every cut, every added character; what is no sealed value",
        &[
            "cookies_and_seals::a_cookie_is_refused_and_dropped_whichever_of_its_bits_is_flipped",
            "cookies_and_seals::a_cookie_is_refused_and_dropped_whichever_of_its_characters_is_another",
            "cookies_and_seals::a_cookie_is_refused_and_dropped_wherever_it_is_cut_or_added_to",
            "cookies_and_seals::a_document_with_a_refused_cookie_is_led_to_sign_in_and_the_cookie_dropped",
            "cookies_and_seals::what_is_no_sealed_value_is_refused_and_dropped",
        ],
    ),
    (
        "a sealed value of another purpose",
        &[
            "callback::a_value_that_was_sealed_for_something_else_is_no_state",
            "cookies_and_seals::a_value_that_was_sealed_for_something_else_is_no_session",
        ],
    ),
    (
        "well sealed, wrong inside: types, nesting, 100 kB, doubled members",
        &[
            "cookies_and_seals::a_cookie_of_100_kb_is_refused_by_somebody",
            "cookies_and_seals::what_is_well_sealed_but_wrong_inside_is_refused_and_dropped",
        ],
    ),
    (
        "sealed with a previous password, or with a removed one",
        &[
            "cookies_and_seals::a_previous_password_still_opens_and_the_newest_seals_in_that_response",
            "cookies_and_seals::a_removed_password_opens_nothing",
        ],
    ),
    (
        "two session cookies of one name, 64 kB of cookies, 500 cookies",
        &[
            "cookies_and_seals::many_cookies_are_read_quickly",
            "cookies_and_seals::names_that_only_look_like_the_sessions_are_left_alone",
            "cookies_and_seals::of_two_cookies_of_one_name_the_one_that_opens_counts_and_is_set_again",
            "cookies_and_seals::of_two_cookies_that_open_neither_counts",
            "cookies_and_seals::of_two_cookies_the_host_only_twin_is_removed_where_a_domain_is_configured",
            "cookies_and_seals::two_cookie_headers_are_read_as_one",
        ],
    ),
    (
        "chunks missing, swapped, stale, of two sessions, a hundred small ones",
        &[
            "cookies_and_seals::a_hundred_small_chunks_are_refused_and_dropped",
            "cookies_and_seals::a_session_with_chunks_that_do_not_belong_together_is_refused_and_all_are_dropped",
            "cookies_and_seals::leftovers_of_a_larger_session_do_no_harm",
        ],
    ),
    (
        "a session that grows past 4096 bytes, and shrinks again",
        &[
            "cookies_and_seals::a_cookie_is_split_only_when_it_would_be_too_long",
            "cookies_and_seals::a_growing_session_gets_chunks_and_a_shrinking_one_gives_them_back",
            "cookies_and_seals::a_large_session_is_warned_about",
            "cookies_and_seals::a_session_of_any_size_comes_in_cookies_that_browsers_keep",
        ],
    ),
];

const TOKENS_AND_KEYS: Faults = &[
    (
        "an algorithm other than RS256, a key of the sender's choice, an unknown demand",
        &[
            "tokens_and_keys::a_header_with_demands_or_without_a_key_is_refused",
            "tokens_and_keys::a_key_of_the_senders_choice_is_neither_believed_nor_fetched",
            "tokens_and_keys::an_expired_token_that_is_forged_is_never_refreshed",
            "tokens_and_keys::no_algorithm_but_rs256_is_believed",
            "tokens_and_keys::the_public_key_is_no_shared_secret",
            "tokens_and_keys::what_is_no_token_is_refused",
        ],
    ),
    (
        "times, subject or client missing, of wrong types, or somebody else's",
        &[
            "tokens_and_keys::a_genuine_token_that_says_something_impossible_is_refused",
            "tokens_and_keys::issuer_and_audience_are_checked_where_they_are_configured",
            "tokens_and_keys::what_a_token_may_leave_out_it_may_leave_out",
        ],
    ),
    (
        "a clock off by 30 seconds, or by ten minutes",
        &[
            "outages::clocks::they_sign_nobody_out_refresh_in_no_loop_and_are_warned_of_once",
            "tokens_and_keys::clocks_that_are_30_seconds_apart_do_no_harm",
            "tokens_and_keys::the_leeway_can_be_chosen",
        ],
    ),
    (
        "tokens with random key ids",
        &[
            "tokens_and_keys::an_unknown_key_is_forged_unless_the_token_is_newer_than_the_key_set",
            "tokens_and_keys::many_unknown_keys_cause_one_fetch_in_30_seconds",
        ],
    ),
    (
        "keys out of reach from cold",
        &[
            "outages::cold_start::keys_that_do_not_come_are_waited_for_no_longer_than_five_seconds",
            "outages::cold_start::without_keys_nobody_is_refreshed_or_signed_out_and_one_fetch_is_made_in_30_seconds",
            "tokens_and_keys::failed_fetches_count_as_well",
            "tokens_and_keys::one_cold_start_fetches_the_keys_once",
        ],
    ),
    (
        "keys out of reach with a warm cache",
        &["tokens_and_keys::keys_that_are_known_serve_while_workos_is_down"],
    ),
    (
        "a key rotation under load",
        &[
            "refreshing::a_session_signed_with_a_key_that_does_not_come_is_not_lost",
            "refreshing::a_session_signed_with_a_key_that_may_not_be_fetched_yet_is_not_lost",
            "tokens_and_keys::a_key_rotation_under_load_signs_nobody_out",
            "tokens_and_keys::a_rotation_right_after_a_fetch_signs_nobody_out_either",
        ],
    ),
    (
        "a key set with broken, doubled, symmetric or tiny keys, of 5 MB, or elsewhere",
        &[
            "tokens_and_keys::a_key_set_has_a_limit",
            "tokens_and_keys::a_key_set_is_not_looked_for_elsewhere",
            "tokens_and_keys::a_key_set_without_a_usable_key_is_no_key_set",
            "tokens_and_keys::a_weak_key_verifies_nothing",
            "tokens_and_keys::an_endless_or_inflating_key_set_is_cut_off",
            "tokens_and_keys::good_keys_work_among_bad_ones",
        ],
    ),
];

const REFRESHING: Faults = &[
    (
        "1, 2, 10, 100, 1000 requests at once with one expired session",
        &[
            "crowds::whatever_the_crowd_one_refresh_is_made_and_everybody_is_served",
            "refreshing::however_many_ask_at_once_one_call_is_made_and_all_get_its_session",
            "refreshing::many_who_ask_shortly_before_the_end_make_one_call_as_well",
            "refreshing::one_call_is_made_for_many_also_when_it_fails",
            "workers::the_keys_are_fetched_once_and_a_session_is_refreshed_once",
        ],
    ),
    (
        "stragglers with the old cookie, and a new one that was never seen",
        &[
            "outages::undelivered::a_session_that_came_back_at_once_is_kept_for_a_minute_only",
            "outages::undelivered::a_session_that_never_came_back_waits_for_ten_minutes",
            "outages::undelivered::a_straggler_gets_the_newest_session_though_that_cannot_be_refreshed_now",
            "outages::undelivered::once_it_has_come_back_the_old_one_serves_for_a_minute",
            "refreshing::a_refresh_token_that_stays_the_same_is_spent_again_when_it_is_due",
            "refreshing::a_straggler_is_led_over_several_refreshes",
            "refreshing::a_straggler_with_the_old_cookie_is_served_without_a_call_for_a_minute",
        ],
    ),
    (
        "fifty users expire together; one refreshes and switches at once",
        &[
            "crowds::nobody_gets_what_is_anothers_whatever_goes_wrong",
            "refreshing::users_whose_sessions_expire_together_never_get_each_others",
            "sessions_in_handlers::a_switch_wins_over_twenty_renewals_and_nobody_is_signed_out",
        ],
    ),
    (
        "every outage of a refresh, before and after the rotation",
        &[
            "refreshing::a_page_for_people_says_so_too",
            "refreshing::a_page_that_can_degrade_is_told_that_nothing_is_known",
            "refreshing::a_token_of_another_user_is_no_answer_even_if_it_has_expired",
            "refreshing::an_answer_that_does_not_end_is_waited_for_no_longer_than_five_seconds",
            "refreshing::an_answer_that_was_lost_after_the_rotation_is_asked_for_again",
            "refreshing::an_early_refresh_that_fails_serves_the_request_as_it_is",
            "refreshing::an_optional_user_is_never_nobody_while_nothing_is_known",
            "refreshing::while_workos_is_not_well_the_cookie_is_kept_and_works_afterwards",
        ],
    ),
    (
        "an answer that was lost is asked for again",
        &[
            "outages::lost_answers::a_code_is_exchanged_once_whatever_becomes_of_the_answer",
            "outages::lost_answers::a_later_request_asks_again_for_as_long_as_workos_repeats_itself",
            "outages::lost_answers::an_answer_that_is_only_late_counts_whatever_the_second_try_is_told",
            "outages::lost_answers::an_answer_that_was_lost_is_asked_for_again_within_the_request",
            "outages::lost_answers::no_answer_for_three_seconds_is_asked_for_again_while_it_may_still_come",
            "outages::lost_answers::what_workos_refuses_is_not_asked_again",
        ],
    ),
    (
        "an outage that lasts, and one that says how long",
        &[
            "outages::too_many_calls::refreshes_that_hang_leave_room_for_sign_ins_and_nobody_waits_long",
            "outages::too_many_calls::whoever_found_no_place_has_spent_nothing_and_comes_back",
            "outages::waiting::a_session_waits_as_long_as_workos_asks_for",
            "outages::waiting::a_token_that_holds_is_served_during_the_wait",
            "outages::waiting::a_wait_ends_before_workos_forgets_an_answer_that_was_lost",
            "outages::waiting::a_wait_that_nobody_can_be_asked_for_is_cut_to_a_minute",
            "outages::waiting::nobody_waits_for_what_has_not_come_ten_times",
            "outages::waiting::sign_ins_go_on_while_refreshes_are_given_up",
            "outages::waiting::when_ten_refreshes_have_failed_one_at_a_time_goes_to_see",
        ],
    ),
    (
        "our own key is wrong",
        &[
            "refreshing::a_wrong_api_key_signs_nobody_out",
            "refreshing::when_our_own_key_is_wrong_nobody_is_signed_out_and_the_log_is_loud",
        ],
    ),
    (
        "a session that has ended",
        &[
            "refreshing::a_session_ended_early_is_told_as_soon_as_it_is_known",
            "refreshing::a_session_that_has_ended_is_dropped_after_one_call",
            "refreshing::somebody_whose_session_was_ended_elsewhere_is_led_to_sign_in",
        ],
    ),
    (
        "another step is demanded, or the membership is gone",
        &[
            "refreshing::an_organization_that_demands_single_sign_on_is_entered_through_authkit",
            "refreshing::another_step_at_authkit_is_taken_with_the_organization",
            "refreshing::who_left_the_organization_is_led_to_authkit_too",
        ],
    ),
    (
        "the browser leaves, the handler fails or panics, right after a rotation",
        &[
            "refreshing::a_browser_that_leaves_during_a_refresh_loses_nothing",
            "refreshing::a_handler_that_fails_after_a_rotation_does_not_lose_the_session",
            "refreshing::a_handler_that_panics_after_a_rotation_does_not_lose_the_session",
            "responses::the_new_session_reaches_the_browser_also_when_others_fail",
            "responses::the_new_session_reaches_the_browser_with_every_kind_of_response",
            "sessions_in_handlers::a_switch_reaches_the_browser_when_the_handler_fails_after_it",
        ],
    ),
    (
        "a sign-out races a refresh",
        &[
            "outages::sign_out_races::a_handler_that_ends_after_the_sign_out_sets_no_session",
            "outages::sign_out_races::a_refresh_that_lands_after_the_sign_out_brings_nobody_back",
            "outages::sign_out_races::a_straggler_after_the_sign_out_is_a_stranger",
            "revocation::a_copied_cookie_of_a_signed_out_user_is_refused_at_once",
            "revocation::an_access_token_of_an_ended_session_lets_nobody_in",
            "revocation::no_refresh_is_made_for_a_session_that_was_ended_here",
            "revocation::what_a_refresh_brings_after_the_sign_out_is_refused_too",
        ],
    ),
    (
        "a server that stops, or a busy worker, during a refresh",
        &[
            "workers::a_server_that_stops_gracefully_during_a_refresh_still_answers_with_the_new_session",
            "workers::nobody_waits_for_a_session_while_the_worker_that_refreshes_it_is_busy",
            "workers::nobody_waits_for_keys_while_the_worker_that_asked_first_is_busy",
        ],
    ),
    (
        "a hook that panics, blocks or is slow",
        &[
            "callback_options::a_hook_that_panics_before_it_runs_refuses",
            "callback_options::a_hook_that_panics_while_it_runs_refuses",
            "callback_options::a_sign_in_stands_when_the_success_hook_fails",
            "callback_options::a_sign_in_stands_when_the_success_hook_panics_before_it_runs",
            "callback_options::a_sign_in_stands_when_the_success_hook_panics_while_it_runs",
            "sessions_in_handlers::a_hook_that_blocks_before_it_runs_delays_nobody",
            "sessions_in_handlers::a_hook_that_blocks_its_thread_while_it_runs_delays_nobody",
            "sessions_in_handlers::a_refresh_failed_hook_that_panics_before_it_runs_harms_nothing",
            "sessions_in_handlers::a_refreshed_hook_that_panics_before_it_runs_harms_nothing",
            "sessions_in_handlers::a_session_that_has_ended_is_over_though_a_hook_panics_before_it_runs",
            "sessions_in_handlers::a_signed_in_hook_that_panics_before_it_runs_harms_nothing",
            "sessions_in_handlers::a_signed_out_hook_that_panics_before_it_runs_leaves_nobody_signed_in",
            "sessions_in_handlers::hooks_that_panic_while_they_run_harm_nothing",
            "sessions_in_handlers::hooks_that_wait_for_long_delay_nobody",
        ],
    ),
];

const REDIRECTS_HOSTS_PATHS: Faults = &[
    (
        "hostile return paths, at the start and at the end",
        &[
            "callback_options::a_return_pathname_that_leads_off_the_site_is_not_followed",
            "redirects_and_paths::a_hostile_address_that_is_protected_leads_nowhere_else",
            "redirects_and_paths::a_hostile_return_path_at_the_start_leads_nowhere_else",
            "redirects_and_paths::a_hostile_return_path_in_the_state_itself_leads_nowhere_else",
            "redirects_and_paths::a_link_with_a_hostile_return_path_is_a_link_without_one",
            "sign_in_urls::a_link_returns_to_this_site_only",
        ],
    ),
    (
        "a hostile return_to at sign-out, with and without a session",
        &[
            "sign_out::a_return_path_splits_no_header_and_no_second_one_counts_against_it",
            "sign_out::a_sign_out_returns_to_this_site_or_one_of_the_list_and_nowhere_else",
            "sign_out::where_there_is_no_session_it_ends_here",
        ],
    ),
    (
        "Host, X-Forwarded-* and Forwarded from strangers",
        &[
            "redirects_and_paths::an_address_in_the_request_line_has_no_effect",
            "redirects_and_paths::an_https_application_behind_a_proxy_sets_secure_cookies_whatever_the_proxy_says",
            "redirects_and_paths::what_strangers_say_about_host_and_scheme_has_no_effect",
            "sign_in_urls::what_strangers_write_into_the_host_chooses_no_address",
        ],
    ),
    (
        "path tricks against the list of public paths",
        &[
            "redirects_and_paths::a_method_opens_nothing",
            "redirects_and_paths::path_tricks_never_get_the_protected_body",
            "redirects_and_paths::the_librarys_own_paths_open_nothing_beside_them",
        ],
    ),
    (
        "headers that mean something elsewhere",
        &[
            "redirects_and_paths::headers_that_mean_something_elsewhere_have_no_effect",
            "responses::no_header_but_the_cookie_says_who_somebody_is",
        ],
    ),
    (
        "an extractor on a route without the middleware",
        &[
            "asking_for_a_user::a_route_without_the_middleware_fails_closed_and_the_log_says_what_to_add",
            "machine_callers::without_the_middleware_nobody_is_let_in",
        ],
    ),
];

const ENDPOINTS_CACHES_LOGS: Faults = &[
    (
        "another site asks to sign out or to change the session, or sends a form",
        &[
            "browser_routes::nonsense_is_refused_without_a_5xx",
            "browser_routes::other_sites_learn_nothing_and_change_nothing",
            "browser_routes::the_organization_is_named_to_its_own_people_only",
            "browser_routes::what_changes_the_session_takes_json_of_its_own_site_only",
            "sign_out::a_get_that_is_no_navigation_signs_nobody_out",
            "sign_out::only_the_site_itself_signs_anybody_out",
            "sign_out::other_methods_remove_nothing",
        ],
    ),
    (
        "an API key missing, empty, Basic or of 64 kB; its validator down or slow",
        &[
            "machine_callers::a_validator_that_hangs_is_waited_for_five_seconds_at_most",
            "machine_callers::a_validator_that_is_down_lets_nobody_in_and_calls_nobody_invalid",
            "machine_callers::an_unknown_or_revoked_key_is_refused",
            "machine_callers::what_cannot_be_a_key_is_refused_without_a_call",
        ],
    ),
    (
        "a webhook altered, old, from the future, replayed, of 10 MB; a secret that is replaced",
        &[
            "webhooks::bytes_that_are_no_text_and_events_that_are_none_are_refused_without_a_5xx",
            "webhooks::handlers_get_typed_events_and_each_event_once",
            "webhooks::only_what_workos_has_just_signed_is_believed",
            "webhooks::ten_megabytes_are_too_many",
            "webhooks::two_secrets_work_while_one_is_replaced",
        ],
    ),
    (
        "a shared cache in front, and handlers that want to be cached",
        &[
            "machine_callers::answers_to_machines_are_kept_in_no_cache",
            "responses::a_session_that_cannot_be_told_is_kept_nowhere_either",
            "responses::a_shared_cache_in_front_gives_nobody_anothers_page",
            "responses::what_leads_to_authkit_is_kept_nowhere",
            "responses::what_was_made_for_a_session_or_came_with_one_is_kept_nowhere",
            "responses::where_a_session_was_asked_for_and_there_was_none_only_the_cookie_is_named",
        ],
    ),
    (
        "everything logged, every secret marked",
        &[
            "callback::no_code_state_verifier_or_token_is_in_the_log_or_in_a_body",
            "machine_callers::no_key_and_no_token_stands_in_a_log",
            "secrets::a_whole_sign_in_its_refreshes_and_its_end_leave_no_secret_in_the_log",
            "secrets::nothing_public_shows_a_secret_when_it_is_printed",
            "secrets::the_log_says_what_became_of_a_session_without_a_secret",
            "secrets::what_is_forged_is_not_repeated_in_the_log",
            "secrets::whatever_workos_answers_leaves_no_secret_in_the_log",
        ],
    ),
];

const REDIS: Faults = &[
    (
        "Redis down at the start, at a read, at a write; slow; full; back again",
        &[
            "server_sessions::a_redis_that_stalls_is_waited_for_a_quarter_of_a_second_and_not_by_everyone",
            "server_sessions::a_redis_without_memory_serves_sessions_and_loses_none",
            "server_sessions::a_session_is_not_lost_when_redis_stalls_while_it_is_refreshed",
            "server_sessions::a_session_that_ends_while_redis_stalls_stays_ended",
            "server_sessions::an_application_starts_without_redis_and_serves_when_it_comes",
            "server_sessions::without_redis_nobody_is_signed_out_and_nobody_is_let_in",
            "slow_redis::a_redis_that_takes_a_tenth_of_a_second_is_waited_for",
            "slow_redis::a_redis_that_takes_longer_than_a_quarter_of_a_second_is_as_good_as_down",
        ],
    ),
    (
        "an event of WorkOS at several instances, with Redis and without",
        &[
            "webhooks_at_several::a_redis_that_stalls_delays_an_event_by_a_quarter_of_a_second",
            "webhooks_at_several::an_event_that_failed_at_one_instance_is_taken_in_by_the_next",
            "webhooks_at_several::what_one_instance_has_taken_in_is_known_to_the_others",
            "webhooks_at_several::without_redis_each_instance_tells_its_own_duplicates",
        ],
    ),
    (
        "what Redis has forgotten, or what is no session of ours under a key",
        &[
            "server_sessions::a_session_that_redis_has_forgotten_is_signed_out",
            "server_sessions::what_is_no_session_of_ours_is_dropped_with_a_warning",
        ],
    ),
    (
        "a copy of the whole Redis in strange hands",
        &[
            "server_sessions::a_copy_of_the_whole_redis_opens_no_session_even_with_the_cookie_password",
        ],
    ),
];

const EVERY_FAULT: Faults = &[
    (
        "24 faults of the code exchange, cold and warm, before and after it",
        &["fault_cells::every_fault_of_the_code_exchange"],
    ),
    (
        "24 faults of the choice of an organization, cold and warm, before and after it",
        &["fault_cells::every_fault_of_the_choice_of_an_organization"],
    ),
    (
        "24 faults of the refresh, cold and warm, before and after the rotation",
        &["fault_cells::every_fault_of_the_refresh"],
    ),
    (
        "24 faults of the key set, cold and warm",
        &["fault_cells::every_fault_of_the_key_set"],
    ),
    (
        "24 faults of the validation of an API key, cold and warm",
        &["fault_cells::every_fault_of_the_validation_of_an_api_key"],
    ),
    (
        "connections of calls that failed",
        &["fault_cells::calls_that_failed_leave_no_connection_open_but_the_pool"],
    ),
];

const AT_RANDOM: Faults = &[
    (
        "sign-in, refresh, switch and sign-out in any order under any fault",
        &["random_walks::whatever_happens_in_whatever_order_the_model_is_right"],
    ),
    (
        "malformed cookies",
        &["forgeries::no_malformed_cookie_is_accepted"],
    ),
    ("forged tokens", &["forgeries::no_forged_token_is_accepted"]),
];
