local function f(a)
  if a then
    return { b = 1 }
  end
  repeat
    a = 1
  until a
end
