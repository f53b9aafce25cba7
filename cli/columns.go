package cli

import (
	"github.com/spf13/cobra"

	"weir/columns"
)

// columnsCommand lists what can be asked for.
func (a *App) columnsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "columns",
		Short: "List the columns to filter and group by, and the measures",
		Example: `  weir columns
  weir query --by local.ip,proto`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			s := a.screen(a.Out)
			var rows [][]string
			for _, c := range columns.All() {
				kind := c.Type
				if c.Set {
					kind = "set of " + kind
				}
				example := ""
				if len(c.Examples) > 0 {
					example = c.Examples[0]
				}
				rows = append(rows, []string{c.Name, kind, example, c.Doc})
			}
			s.table([]string{"column", "type", "example", "what it is"}, rows)
			return nil
		},
	}
}
