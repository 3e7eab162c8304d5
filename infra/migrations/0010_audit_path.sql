-- A temporary table of the same name must not stand in for the chain: temporary ones come last.
do $$
begin
    execute format(
        'alter function gate_log_chained() set search_path = %I, pg_temp', current_schema());
end $$;
