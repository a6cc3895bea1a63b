/**
 * `npm start`: the way into start.ts for a Node.js that does not run TypeScript by itself.
 */
import { register } from 'tsx/esm/api'

register({ tsconfig: false })
await import('./start.ts')
