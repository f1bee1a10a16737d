// The login has expired: everything that is written is kept, and nothing is sent until there is a new one.

import { useState } from 'react'
import { useOutbox } from 'outbox-offline/react'

import { LOGIN } from '../mutations'
import { logIn } from '../trouble'

export function LoginBanner() {
  const { paused } = useOutbox()
  const [problem, setProblem] = useState('')
  if (!paused.includes(LOGIN)) return null
  const submit = async () => {
    setProblem(await logIn() ? '' : 'The office cannot be reached.')
  }
  return (
    <div className="banner" role="alert">
      <p><strong>Your login has expired.</strong> Go on working: everything is kept, and sent after you log in. {problem}</p>
      <button type="button" className="primary" onClick={() => void submit()}>Log in</button>
    </div>
  )
}
