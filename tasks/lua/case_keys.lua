-- The keys of cases, as they are kept: wrapped, so that nobody can use them who has no master key.

-- Cases of which another key is kept than the caller sealed with: {'rekey', tenant, case, the key that is kept or '',
-- ...}; nil where there is none. `arguments` has tenant, case, key and '1' (a new key) of each from `from` on.
local function other_keys(arguments, from, cases)
  local others
  for i = from, from + 4 * cases - 1, 4 do
    local kept = redis.call('GET', key.case_key(arguments[i], arguments[i + 1])) or ''
    local may_be_new = kept == '' and arguments[i + 3] == '1'
    if kept ~= arguments[i + 2] and not may_be_new then
      others = others or {'rekey'}
      for _, part in ipairs({arguments[i], arguments[i + 1], kept}) do others[#others + 1] = part end
    end
  end
  return others
end

-- A key lasts from use to use; that of a case on hold lasts until the hold ends.
local function keep_keys(arguments, from, cases, ttl)
  for i = from, from + 4 * cases - 1, 4 do
    local name = key.case_key(arguments[i], arguments[i + 1])
    local is_new = arguments[i + 3] == '1' and redis.call('SET', name, arguments[i + 2], 'NX')
    local is_on_hold = is_new and redis.call('EXISTS', key.case_hold(arguments[i], arguments[i + 1])) == 1
    if is_new and not is_on_hold then
      redis.call('EXPIRE', name, ttl)
    else
      redis.call('EXPIRE', name, ttl, 'XX')
    end
  end
end

-- What belongs to a case lasts from change to change; on hold, until the hold ends.
local function touch(tenant, case, ttl, ...)
  local is_on_hold = redis.call('EXISTS', key.case_hold(tenant, case)) == 1
  for _, name in ipairs({...}) do
    if is_on_hold then redis.call('PERSIST', name) else redis.call('EXPIRE', name, ttl) end
  end
end
