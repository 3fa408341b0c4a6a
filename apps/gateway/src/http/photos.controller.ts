import { createHash, randomUUID } from 'node:crypto';
import { UnitsOfWork, type Work } from '@aura/eventing';
import { PhotoReceived } from '@aura/schemas';
import { IdempotencyKey, ProblemException, ServiceTokenGuard } from '@aura/service';
import {
  Controller,
  Get,
  HttpCode,
  Param,
  ParseUUIDPipe,
  Post,
  Res,
  UploadedFile,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { FileInterceptor } from '@nestjs/platform-express';
import {
  ApiBody,
  ApiConsumes,
  ApiExcludeEndpoint,
  ApiOperation,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { Response } from 'express';
import { EntityManager } from 'typeorm';
import { MAX_PHOTO_BYTES, PhotoRefusedError, type CleanPhoto } from '../domain/photo-intake.js';
import { Analysis } from '../entities/analysis.entity.js';
import { IdempotencyKey as UsedKey } from '../entities/idempotency-key.entity.js';
import { Photo } from '../entities/photo.entity.js';
import { PhotoIntake } from '../photo-intake.service.js';
import { UploadSlots } from './upload-slots.js';

/** The answer to an accepted photo. */
interface Accepted {
  readonly id: string;
  /** Where the analysis is. */
  readonly analysis: string;
  /** Where its progress can be watched. */
  readonly events: string;
}

const STATUS: Readonly<Record<PhotoRefusedError['code'], number>> = {
  empty: 400,
  unsupported: 415,
  animated: 415,
  'too-many-pixels': 422,
  unreadable: 422,
};

const MEDIA_TYPE = { JPEG: 'image/jpeg', PNG: 'image/png', WEBP: 'image/webp' } as const;

@ApiTags('photos')
@Controller('photos')
export class PhotosController {
  constructor(
    private readonly units: UnitsOfWork,
    private readonly intake: PhotoIntake,
    private readonly entities: EntityManager,
  ) {}

  @Post()
  @HttpCode(202)
  @ApiOperation({ summary: 'Takes a photo and has it analysed' })
  @ApiConsumes('multipart/form-data')
  @ApiBody({
    description: 'One JPEG, PNG or WebP of at most 10 MB and 40 megapixels. Its metadata is dropped.',
    schema: {
      type: 'object',
      required: ['photo'],
      properties: { photo: { type: 'string', format: 'binary' } },
    },
  })
  @ApiResponse({ status: 202, description: 'Kept; the Location header says where the analysis is.' })
  @UseInterceptors(
    UploadSlots,
    FileInterceptor('photo', { limits: { fileSize: MAX_PHOTO_BYTES, files: 1, fields: 8, parts: 9 } }),
  )
  async take(
    @UploadedFile() file: { buffer: Buffer } | undefined,
    @IdempotencyKey({ required: false }) key: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Accepted> {
    if (!file)
      throw new ProblemException({
        status: 400,
        kind: 'photo-missing',
        detail: 'Send one file in the part "photo".',
      });
    const photo = await this.#clean(file.buffer);
    const requestHash = createHash('sha256').update(file.buffer).digest('hex');
    const id = await this.units.run(async (work) => {
      const known = key === undefined ? undefined : await earlier(work, key, requestHash);
      if (known !== undefined) return known;
      const photoId = await keep(work, photo);
      if (key !== undefined)
        await work.manager.insert(UsedKey, { key, requestHash, photoId, usedAt: work.now });
      return photoId;
    });
    response.location(`/analyses/${id}`);
    return { id, analysis: `/analyses/${id}`, events: `/analyses/${id}/events` };
  }

  @Get(':id/bytes')
  @UseGuards(ServiceTokenGuard)
  @ApiExcludeEndpoint()
  async bytes(@Param('id', ParseUUIDPipe) id: string, @Res() response: Response): Promise<void> {
    const photo = await this.entities.findOne(Photo, {
      where: { id },
      select: { mediaType: true, bytes: true },
    });
    if (!photo) throw new ProblemException({ status: 404, detail: `There is no photo ${id}.` });
    response.type(MEDIA_TYPE[photo.mediaType]).send(photo.bytes);
  }

  async #clean(bytes: Buffer): Promise<CleanPhoto> {
    try {
      return await this.intake.take(bytes);
    } catch (error) {
      if (!(error instanceof PhotoRefusedError)) throw error;
      const { code, message } = error;
      throw new ProblemException({
        status: STATUS[code],
        kind: `photo-${code}`,
        detail: sentence(message),
        cause: error,
      });
    }
  }
}

/**
 * The photo of the request that used `key` first. The lock makes its twin wait: never two photos for one key.
 */
async function earlier(work: Work, key: string, requestHash: string): Promise<string | undefined> {
  await work.lock(`idempotency-key:${key}`);
  const used = await work.manager.findOneBy(UsedKey, { key });
  if (!used) return undefined;
  if (used.requestHash === requestHash) return used.photoId;
  throw new ProblemException({
    status: 422,
    kind: 'idempotency-key-reused',
    detail: 'This Idempotency-Key was used for another photo: take a new key.',
  });
}

/** The photo, its analysis and the event: one transaction. */
async function keep(work: Work, photo: CleanPhoto): Promise<string> {
  const id = randomUUID();
  const { bytes, contentHash, mediaType, width, height } = photo;
  await work.manager.insert(Photo, {
    id,
    contentHash,
    mediaType,
    width,
    height,
    bytes,
    receivedAt: work.now,
  });
  await work.manager.insert(Analysis, {
    id,
    state: 'received',
    steps: [{ name: 'received', service: 'gateway', at: work.now.toISOString() }],
    result: null,
    failure: null,
  });
  const receivedAt = work.now;
  const sizeBytes = bytes.length;
  work.raise(PhotoReceived.of({ photoId: id, contentHash, mediaType, width, height, sizeBytes, receivedAt }));
  return id;
}

function sentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}
