-- Which functions may have the most calls in a range of time.
CREATE INDEX rollup_of_day ON rollup (namespace, start_us, function_id, runtime, calls)
    WHERE bucket_s = 86400;
