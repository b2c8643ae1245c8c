module shop.example/checkout

go 1.26.10

require h5pay v0.0.0

replace h5pay => ../.. // your clone, or a copy of it
