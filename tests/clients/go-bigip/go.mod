module clients

go 1.25

require github.com/f5devcentral/go-bigip v0.0.0-20260303071915-79fc4d8a2250
