-- Reset a lane to active without failures; waiting retries are due now.
-- KEYS: lane, lane-flight, lane-state
-- ARGV: 1 lane id, 2 now ms, 3 prefix of deliveries
redis.call('HSET', KEYS[3], 'mode', 'active')
redis.call('HDEL', KEYS[3], 'since', 'failures', 'failing_since', 'probe_at', 'probe_pause')
bring_forward(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
