// The audit log for those who may read it: events, a check of the whole, the signed head.
import type { Routes } from '../../platform/service.ts'
import type { House } from '../plugin.ts'
import { AuditEvents, AuditHead, AuditQuery, AuditVerdict } from '../schemas.ts'

const WINDOW =
  'How far the log is sealed. An event is sealed within a second of its storing, also when the replica that seals dies; until then a ' +
  'change of it would go unnoticed. While no auth runs nothing is sealed.'

export async function auditRoutes(app: Routes, { auditLog }: House) {
  const read = { access: 'read:audit' } as const

  app.get('/audit', { config: read, schema: { querystring: AuditQuery, response: { 200: AuditEvents } } }, ({ query }) =>
    auditLog.read({ ...query, limit: query.limit ?? 50 }),
  )
  app.get('/audit/verify', { config: read, schema: { response: { 200: AuditVerdict } } }, () => auditLog.verify())
  app.get('/audit/head', { config: read, schema: { description: WINDOW, response: { 200: AuditHead } } }, () => auditLog.head())
}
