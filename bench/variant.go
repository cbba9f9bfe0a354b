package main

// variant is pgchorus with other settings than the rest of its setup, as a target beside it.
type variant struct {
	name     string
	heading  string // of what pgchorus is compared with
	means    string
	settings string // instead of the setup's; "" for none
}

// Names of the variants.
const (
	uncached   = "uncached"
	verifying  = "verifying"
	locking    = "locking"
	digesting  = "digesting"
	mainFirst  = "mainfirst"
	oneMessage = "onemessage"
	lending    = "lending"
)

func variants() []variant {
	return []variant{
		{uncached, "cache off", "with its cache off", ""},
		{verifying, "comparing", "with set_write_strategy = verify", "set_write_strategy = 'verify'\n"},
		{locking, "locking", "with set_write_strategy = lock", "set_write_strategy = 'lock'\n"},
		{digesting, "verify_digest", "with verify_digest = on", "verify_digest = 'on'\n"},
		{mainFirst, "main first", "with parallel_dispatch = off", "parallel_dispatch = off\n"},
		{oneMessage, "one message", "with autocommit_fast = on", "autocommit_fast = on\n"},
		{lending, "lending", "with pool_mode = transaction", "pool_mode = 'transaction'\n"},
	}
}

// variantOf is the one of that name; nil for none.
func variantOf(name string) *variant {
	for _, v := range variants() {
		if v.name == name {
			return &v
		}
	}
	return nil
}

// variantNames in the order in which they are shown.
func variantNames() []string {
	var names []string
	for _, v := range variants() {
		names = append(names, v.name)
	}
	return names
}
