-- Steps of a window that is over are found by it, and where holders stood long ago is dropped by when it was.
create index budget_step_events_of_window on budget_step_events (budget_id, window_start);
create index budget_windows_end on budget_windows (window_end);
