import { Todos } from './todos'

export default function Page() {
  return <Todos />
}
