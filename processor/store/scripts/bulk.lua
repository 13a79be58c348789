-- Run commands in turn, as one step. What one of them is refused with does not stop the others.
-- ARGV: how many arguments, command, argument, ..., how many, command, ...
-- Returns what each answered; an error stands where its answer would.
local answers, at, last = {}, 1, #ARGV
while at <= last do
  local to = at + tonumber(ARGV[at])
  answers[#answers + 1] = redis.pcall(unpack(ARGV, at + 1, to))
  at = to + 1
end
return answers
