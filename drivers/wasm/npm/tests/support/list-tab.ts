// A tab with the list in it: what a person does there, and what they see.
import { expect, type BrowserContext, type Locator, type Page } from '@playwright/test'

import type { Server } from './server.ts'

export class ListTab {
  /** What went wrong in the page. */
  readonly errors: string[] = []

  private constructor(readonly page: Page) {
    page.on('pageerror', (error) => this.errors.push(String(error)))
    page.on('console', (message) => {
      // A request that found no server is what these tests are about.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load')) this.errors.push(message.text())
    })
  }

  /** `careless`: what was answered is not waited for on the server's stream. */
  static async open(context: BrowserContext, server: Server, how: { careless?: true } = {}): Promise<ListTab> {
    const tab = new ListTab(await context.newPage())
    await tab.page.goto(`${server.url}/list.html${how.careless ? '?careless' : ''}`)
    await tab.#isThere()
    return tab
  }

  async reload(): Promise<void> {
    await this.page.reload()
    await this.#isThere()
  }

  #isThere(): Promise<unknown> {
    return this.page.waitForFunction(() => 'list' in globalThis && list.renders.length > 0, undefined, { polling: 20 })
  }

  /** Types a new to-do and adds it. */
  async add(text: string): Promise<void> {
    await this.page.getByLabel('New to-do').fill(text)
    await this.page.getByRole('button', { name: 'Add' }).click()
  }

  /** Presses a button, and tells what the collection holds in the same turn. */
  textsAtOnceAfter(button: Locator): Promise<string[]> {
    return button.evaluate((element: HTMLElement) => {
      element.click()
      return list.texts()
    })
  }

  async rename(text: string, to: string): Promise<void> {
    await this.type(text, to)
    await this.todo(text).getByRole('button', { name: 'Save' }).click()
  }

  /** Types another text, and does not save it yet. */
  async type(text: string, to: string): Promise<void> {
    await this.page.getByLabel(`Text of ${text}`, { exact: true }).fill(to)
  }

  todo(text: string): Locator {
    return this.page.getByRole('list', { name: 'To-dos' }).getByRole('listitem', { name: text, exact: true })
  }

  refused(text: string): Locator {
    return this.page.getByRole('list', { name: 'Refused' }).getByRole('listitem', { name: text, exact: true })
  }

  /** Waits until the list on the page is this, in alphabetical order. */
  async shows(...texts: string[]): Promise<void> {
    const shown = () => this.page.getByRole('list', { name: 'To-dos' }).getByRole('listitem')
      .evaluateAll((items) => items.map((item) => item.getAttribute('aria-label')))
    await expect.poll(shown, { message: 'the list on the page' }).toEqual(texts)
  }

  /** Waits until the page says this of its outbox. */
  async says(state: string): Promise<void> {
    await expect(this.page.getByRole('status')).toHaveText(state)
  }

  /** The texts of every render that was committed since the page was loaded. */
  renders(): Promise<string[][]> {
    return this.page.evaluate(() => list.renders)
  }

  /** What a subscriber of the collection was told since the page was loaded. */
  changes(): Promise<string[]> {
    return this.page.evaluate(() => list.changes)
  }

  /** As the page signs what it sends. */
  name(): Promise<string> {
    return this.page.evaluate(() => list.tab)
  }

  async idOf(text: string): Promise<string> {
    const id = await this.page.evaluate((text) => list.idOf(text), text)
    expect(id, `a to-do "${text}"`).toBeDefined()
    return id as string
  }

  press(name: 'Pause' | 'Resume'): Promise<void> {
    return this.page.getByRole('button', { name }).click()
  }
}
