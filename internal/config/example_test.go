package config_test

import (
	"fmt"

	"github.com/pgchorus/pgchorus/internal/config"
)

func ExampleParse() {
	src := []byte(`
backend_clustering_mode = native_replication
backend_hostname0 = 'db0.example.com'
backend_port0 = 5432
load_balance_mode = maybe
`)
	_, _, err := config.Parse("pgpool.conf", src, nil)
	fmt.Println(err)
	// Output: pgpool.conf:5: load_balance_mode = "maybe": expected on or off
}

func ExampleConfig_Show() {
	src := []byte("backend_port0 = 5432 child_life_time = 600")
	cfg, _, err := config.Parse("pgpool.conf", src, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	value, description, _ := cfg.Show("child_life_time")
	fmt.Println(value, "-", description)
	// Output: 10min - Idle time after which kept connections of a place are given up; 0 is never.
}
