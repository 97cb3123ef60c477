package cli

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fever/config"
)

// TestNoSettingOfKubernetes has no setting be called as Kubernetes calls what it sets for
// a service, whatever that is called: the process would not start beside it.
func TestNoSettingOfKubernetes(t *testing.T) {
	t.Parallel()
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			if name := config.Variable(flag.Name); ofKubernetes(name, "tcp://10.0.0.1:8080") {
				t.Errorf("%s of %s can be a variable of Kubernetes", name, cmd.CommandPath())
			}
		})
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	look(newRoot())
}
