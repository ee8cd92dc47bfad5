export FLOWPULSE_URL='https://flowpulse.example.org'
export FLOWPULSE_API_KEY='fp_your_key'
~/.local/bin/flowpulse-run your-workflow -- true    # a success
~/.local/bin/flowpulse-run your-workflow -- false   # a failure

# crontab -e
FLOWPULSE_URL='https://flowpulse.example.org'
FLOWPULSE_API_KEY='fp_your_key'
*/15 * * * * ~/.local/bin/flowpulse-run your-workflow -- /path/to/job
