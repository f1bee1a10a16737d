// Builds with webpack's defaults; its command line program is not needed for that.
import webpack from 'webpack'

const output = { path: new URL('dist', import.meta.url).pathname, filename: 'main.js', module: true }
const options = {
  mode: 'production',
  entry: './src/example.js',
  output,
  experiments: { outputModule: true },
  performance: { hints: false }, // the package's own build guards its size
}
webpack(options, (error, stats) => {
  if (error) throw error
  console.log(stats.toString())
  if (stats.hasErrors() || stats.hasWarnings()) process.exitCode = 1
})
