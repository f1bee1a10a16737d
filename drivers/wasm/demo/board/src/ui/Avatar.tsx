// Who goes there: the first letter in a colour of the name's own.

export const TECHNICIANS = ['Amara', 'Jonas', 'Mei', 'Tomás'] as const

const HUES: Record<string, number> = { Amara: 258, Jonas: 205, Mei: 345, 'Tomás': 150 }

export function Avatar({ name }: { name: string }) {
  if (name === '') return <span className="assignee nobody">Not assigned</span>
  return (
    <span className="assignee">
      <i aria-hidden="true" style={{ '--hue': HUES[name] ?? 30 } as object}>{name.charAt(0)}</i>{name}
    </span>
  )
}
