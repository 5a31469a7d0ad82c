package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (c *connection) jobCreate() *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use: "create -f file", Short: "Create the jobs that a file describes",
		Long: `create makes jobs of the body of create_ccr, in JSON or YAML, one or several documents (see
docs/cli.md for the keys). It returns when the first checks have passed or refused the job; the full
sync that follows is not waited for (ccr job wait). A job that exists is an error: ccr job apply
takes it as it is.

Passwords may be in a file or in a variable of the environment: password_file, password_env.
"ccr check -f" tells beforehand whether a job can run.`,
		Example: "  ccr job create -f job.yaml\n  vault read -field=job secret/ccr | ccr job create -f -",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			manifests, err := readManifests(files, cmd.InOrStdin(), c.environ)
			if err != nil {
				return err
			}
			asker, err := c.client()
			if err != nil {
				return err
			}
			var names []string
			byName := map[string]*manifest{}
			for _, m := range manifests {
				names, byName[m.Name] = append(names, m.Name), m
			}
			return each(names, func(name string) error {
				m := byName[name]
				if err := m.create(cmd.Context(), asker); err != nil {
					return fmt.Errorf("job %s is not created: %w", name, err)
				}
				return done(cmd, name, "created")
			})
		},
	}
	bindFiles(cmd, &files)
	return cmd
}

func bindFiles(cmd *cobra.Command, files *[]string) {
	cmd.Flags().StringArrayVarP(files, "file", "f", nil, `file with jobs in YAML or JSON, "-" for standard input; may be repeated`)
}
