-- The same GET again and again.
dofile("benchmarks/lua/summary.lua")
